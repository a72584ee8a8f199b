import fs from 'node:fs';
import type { BytePath } from '../sys/bytes.ts';
import { baseName, joinPath, parentOf } from './clean-path.ts';
import { fsPath, openRegularFile } from './read-file.ts';

const { O_RDONLY, O_NOFOLLOW, O_DIRECTORY } = fs.constants;
const HAS_PROC = process.platform === 'linux';

/**
 * Opens files below a directory without following a symbolic link anywhere on the way, whatever is swapped in
 * meanwhile: each directory is opened from its parent's descriptor (through /proc, since Node has no openat). The
 * last directory stays open, so that files side by side cost one call each.
 */
export class InsideOpener {
  readonly #root: BytePath;
  #path: BytePath | undefined;
  #descriptor = -1;

  /** @param root absolute path; it may itself be reached through links */
  constructor(root: BytePath) {
    this.#root = root;
  }

  /** As `openRegularFile`, for a path relative to the root. */
  open(path: BytePath): { descriptor: number; stat: fs.BigIntStats } {
    if (!HAS_PROC) return openRegularFile(joinPath(this.#root, path), { follow: false });
    this.#enter(parentOf(path));
    return openRegularFile(`/proc/self/fd/${this.#descriptor}/${baseName(path)}`, { follow: false });
  }

  /** Lets go of the directory; opening goes on to work. */
  release(): void {
    if (this.#path !== undefined) fs.closeSync(this.#descriptor);
    this.#path = undefined;
  }

  #enter(directory: BytePath): void {
    if (this.#path === directory) return;
    this.release();
    let descriptor = fs.openSync(fsPath(this.#root), O_RDONLY | O_DIRECTORY);
    for (const name of directory === '' ? [] : directory.split('/')) {
      const outer = descriptor;
      try {
        descriptor = fs.openSync(
          fsPath(`/proc/self/fd/${outer}/${name}`),
          O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
        );
      } finally {
        fs.closeSync(outer);
      }
    }
    this.#descriptor = descriptor;
    this.#path = directory;
  }
}
