import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import { loadSys } from '../../sys/linux.ts';

/**
 * What is kept of remote sources, each under a key of its own:
 * - `repository`: the objects of a git repository
 * - `checkout`: files of one commit
 * - `address`: what a server said of a URL
 * - `file`: the content of a download, by its digest
 * - `tree`: an archive unpacked, by its digest
 */
export type KeptKind = 'repository' | 'checkout' | 'address' | 'file' | 'tree';

/** An entry in use. Nobody removes it before it is released. */
export interface KeptEntry {
  /** Absolute path of a directory of its own. */
  directory: string;
  release(): void;
}

export interface KeptOptions {
  /** Directory of everything kept; made when something is. */
  root: string;
  /** Bytes that may stay when a build has ended. Default 8 GiB. */
  limit?: number;
}

const DEFAULT_LIMIT = 8 * 2 ** 30;
/** How often a waiting build looks whether another has finished. */
const POLL_MS = 25;
/** A name in an entry's directory that is there once its content is whole. */
const WHOLE = 'whole';

/**
 * Remote sources on disk, for the next build: each entry is a directory and a lock file, whose content is the entry's
 * size and whose time says when it was used last. Locks are the kernel's: they end with whoever holds them.
 */
export class KeptSources {
  readonly #root: string;
  readonly #limit: number;
  readonly #held = new Set<() => void>();
  #grown = false;

  constructor({ root, limit = DEFAULT_LIMIT }: KeptOptions) {
    this.#root = root;
    this.#limit = limit;
  }

  /** An entry for this process alone. Waits for whoever has it. Throws `canceled`. */
  async hold(kind: KeptKind, key: string, signal?: AbortSignal): Promise<KeptEntry> {
    let fd = this.#tryLock(kind, key, 'exclusive');
    while (fd === undefined) {
      await wait(signal);
      fd = this.#tryLock(kind, key, 'exclusive');
    }
    const directory = this.#directory(kind, key);
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#grown = true;
    return this.#entry(directory, fd, { changing: true });
  }

  /**
   * An entry that never changes, for reading. When it is not there `make` fills its empty directory; of several that
   * ask at once one makes it, and the others wait. Throws what `make` throws, and then nothing of it stays.
   */
  async obtain(
    kind: KeptKind,
    key: string,
    make: (directory: string) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<KeptEntry> {
    const directory = this.#directory(kind, key);
    const isWhole = (): boolean => fs.existsSync(path.join(directory, WHOLE));
    for (;;) {
      const shared = this.#tryLock(kind, key, 'shared');
      if (shared !== undefined && isWhole())
        return this.#entry(path.join(directory, 'content'), shared, { changing: false });
      if (shared !== undefined) fs.closeSync(shared);
      // Whoever reads it keeps others from this one, but then it is whole.
      const own = this.#tryLock(kind, key, 'exclusive');
      if (own === undefined) await wait(signal);
      else await this.#make(directory, own, { isWhole, make, signal });
    }
  }

  async #make(
    directory: string,
    fd: number,
    how: {
      isWhole: () => boolean;
      make: (directory: string) => Promise<void>;
      signal: AbortSignal | undefined;
    },
  ): Promise<void> {
    try {
      if (how.isWhole()) return;
      removeTree(directory);
      fs.mkdirSync(path.join(directory, 'content'), { recursive: true, mode: 0o700 });
      this.#grown = true;
      try {
        await how.make(path.join(directory, 'content'));
        how.signal?.throwIfAborted();
      } catch (error) {
        removeTree(directory);
        this.#unlink(fd, directory);
        throw error;
      }
      writeSize(fd, sizeOf(directory));
      fs.writeFileSync(path.join(directory, WHOLE), '');
    } finally {
      fs.closeSync(fd);
    }
  }

  /** True when an entry that never changes is there; it may go the next moment. */
  has(kind: KeptKind, key: string): boolean {
    return fs.existsSync(path.join(this.#directory(kind, key), WHOLE));
  }

  /** Gives everything back, and removes what was used longest ago until the rest is within the limit. */
  close(): void {
    for (const release of [...this.#held]) release();
    if (!this.#grown) return;
    this.#grown = false;
    try {
      this.#prune();
    } catch {
      // The build's result counts; the next one tries again.
    }
  }

  #prune(): void {
    const entries = this.#list().sort((a, b) => b.usedMs - a.usedMs);
    let total = 0;
    for (const { directory, size } of entries) {
      total += size ?? 0;
      if (total > this.#limit || size === undefined) {
        if (this.#remove(directory)) total -= size ?? 0;
      }
    }
  }

  /** All entries; one that nobody finished has no size. */
  #list(): { directory: string; size: number | undefined; usedMs: number }[] {
    return fs.readdirSync(this.#root).flatMap((kind) =>
      fs.readdirSync(path.join(this.#root, kind)).flatMap((name) => {
        if (!name.endsWith('.lock')) return [];
        const lock = path.join(this.#root, kind, name);
        const stat = fs.statSync(lock, { throwIfNoEntry: false });
        if (stat === undefined) return [];
        const text = fs.readFileSync(lock, 'utf8');
        const size = text === '' ? undefined : Number(text);
        return [{ directory: lock.slice(0, -'.lock'.length), size, usedMs: stat.mtimeMs }];
      }),
    );
  }

  /** Removes an entry that nobody uses; false when somebody does. */
  #remove(directory: string): boolean {
    let fd: number;
    try {
      fd = fs.openSync(`${directory}.lock`, 'r+');
    } catch {
      return true;
    }
    try {
      if (!loadSys().flock(fd, 'exclusive', { nonBlocking: true })) return false;
      removeTree(directory);
      this.#unlink(fd, directory);
      return true;
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Whoever waits for the lock of a file that has gone sees that and makes a new one. */
  #unlink(fd: number, directory: string): void {
    if (isSame(fd, `${directory}.lock`)) fs.rmSync(`${directory}.lock`, { force: true });
  }

  /** The lock's descriptor, or undefined when somebody else has it. */
  #tryLock(kind: KeptKind, key: string, how: 'shared' | 'exclusive'): number | undefined {
    const file = `${this.#directory(kind, key)}.lock`;
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    const fd = fs.openSync(file, 'a+', 0o600);
    let locked = false;
    try {
      locked = loadSys().flock(fd, how, { nonBlocking: true }) && isSame(fd, file);
    } finally {
      if (!locked) fs.closeSync(fd);
    }
    return locked ? fd : undefined;
  }

  #entry(directory: string, fd: number, { changing }: { changing: boolean }): KeptEntry {
    const release = (): void => {
      if (!this.#held.delete(release)) return;
      const now = new Date();
      try {
        if (changing) writeSize(fd, sizeOf(directory));
        fs.futimesSync(fd, now, now);
      } finally {
        fs.closeSync(fd);
      }
    };
    this.#held.add(release);
    return { directory, release };
  }

  #directory(kind: KeptKind, key: string): string {
    return path.join(this.#root, kind, key);
  }
}

async function wait(signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal });
  } catch (cause) {
    throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause });
  }
}

function isSame(fd: number, file: string): boolean {
  const there = fs.statSync(file, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fs.fstatSync(fd).ino;
}

function writeSize(fd: number, bytes: number): void {
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, String(bytes));
}

/** Bytes of all files below a directory. */
function sizeOf(directory: string): number {
  let sum = 0;
  const pending = [bytesOf(directory)];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of readDirectory(at)) {
      const file = `${at}/${entry.name}`;
      if (entry.isDirectory()) pending.push(file);
      else sum += fs.lstatSync(bufferOf(file), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return sum;
}

function readDirectory(directory: BytePath): fs.Dirent<string>[] {
  try {
    return fs.readdirSync(bufferOf(directory), { withFileTypes: true, encoding: 'latin1' });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Directories of an archive may be closed to their owner. */
function removeTree(directory: string): void {
  try {
    fs.rmSync(directory, { recursive: true, force: true });
  } catch {
    const pending = [bytesOf(directory)];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      fs.chmodSync(bufferOf(at), 0o700);
      for (const entry of readDirectory(at)) if (entry.isDirectory()) pending.push(`${at}/${entry.name}`);
    }
    fs.rmSync(directory, { recursive: true, force: true });
  }
}
