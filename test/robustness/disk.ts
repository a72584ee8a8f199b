import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** A small file system in memory, that can be filled up. */
export class SmallDisk {
  readonly path: string;
  readonly #filler: string;
  readonly #bytes: number;

  /** Mounts it at `path`, made for it. As root. */
  constructor(path: string, options: { megabytes: number; files?: number }) {
    mkdirSync(path);
    const words = [`size=${options.megabytes}m`, 'mode=755'];
    if (options.files !== undefined) words.push(`nr_inodes=${options.files}`);
    execFileSync('mount', ['-t', 'tmpfs', '-o', words.join(','), 'tmpfs', path]);
    this.path = path;
    this.#filler = join(path, 'filler');
    this.#bytes = options.megabytes * 1024 * 1024;
  }

  /** Bytes that can still be written. */
  get free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Leaves only so many bytes free. */
  fill(left: number): void {
    this.empty();
    const { blocks, bsize } = statfsSync(this.path);
    // Without its mount this folder lies on a file system that is as large as the machine's memory.
    if (blocks * bsize > this.#bytes) throw new Error(`${this.path} is not the small file system any more`);
    execFileSync('fallocate', ['-l', String(this.free - left), this.#filler]);
  }

  /** Takes the filler away. */
  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.path]);
  }
}
