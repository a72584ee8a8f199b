import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, bytesOf, fsPath, textOf } from '../sys/bytes.ts';
import { S_IFIFO } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { explain, writeFully } from './output.ts';
import type { Aborted } from './types.ts';

export interface DirectoryOptions {
  /** What is in the directory and not in the root file system goes. */
  mirror?: boolean;
  aborted?: Aborted;
}

export interface DirectoryResult {
  files: number;
  /** Devices and sockets, which an ordinary copy leaves out; for people. */
  skipped: string[];
}

const CHUNK = 4 << 20;

/**
 * Copies a root file system into a directory, which is made when it is not there: names, contents, modes, times,
 * links, hard links among each other; everything belongs to the caller. What is in the way of a name is replaced;
 * a symbolic link in the way of a directory too, so that nothing is written outside. Other names stay, unless
 * `mirror` is set. Runs in the worker.
 */
export function writeRootfsDirectory(
  source: string,
  destination: string,
  options: DirectoryOptions = {},
): DirectoryResult {
  try {
    mkdirSync(destination, { recursive: true });
    const copier = new Copier(options);
    copier.children(bytesOf(source), bytesOf(destination));
    return copier.result;
  } catch (error) {
    if (isErrno(error, 'EEXIST') || isErrno(error, 'ENOTDIR') || isErrno(error, 'EACCES')) {
      throw new SlipwayError('invalid', `invalid output path: ${(error as Error).message}`, {
        code: 'OUTPUT_INVALID',
        cause: error,
      });
    }
    throw explain(error);
  }
}

class Copier {
  readonly result: DirectoryResult = { files: 0, skipped: [] };
  readonly #sys = loadSys();
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK);
  /** Copy of the first name of each inode that has several. */
  readonly #copies = new Map<string, BytePath>();
  readonly #options: DirectoryOptions;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  children(from: BytePath, to: BytePath): void {
    const names = readdirSync(fsPath(from), 'latin1').sort();
    if (this.#options.mirror === true) {
      const kept = new Set(names);
      for (const name of readdirSync(fsPath(to), 'latin1')) {
        if (!kept.has(name)) rmSync(fsPath(`${to}/${name}`), { recursive: true, force: true });
      }
    }
    for (const name of names) {
      if (this.#options.aborted?.() === true)
        throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
      this.#node(`${from}/${name}`, `${to}/${name}`);
    }
  }

  #node(from: BytePath, to: BytePath): void {
    const stat = lstatSync(fsPath(from), { bigint: true });
    if (stat.isDirectory()) {
      this.#directory(from, to, stat);
      return;
    }
    const linked = stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
    const first = linked === undefined ? undefined : this.#copies.get(linked);
    if (first !== undefined) {
      rmSync(fsPath(to), { recursive: true, force: true });
      linkSync(fsPath(first), fsPath(to));
    } else if (!this.#create(from, to, stat)) {
      this.result.skipped.push(textOf(from));
      return;
    } else if (linked !== undefined) {
      this.#copies.set(linked, to);
    }
    this.result.files++;
    this.#sys.utimens(fsPath(to), stat.mtimeNs);
  }

  #directory(from: BytePath, to: BytePath, stat: BigIntStats): void {
    const there = lstatSync(fsPath(to), { throwIfNoEntry: false });
    if (there?.isDirectory() !== true) {
      if (there !== undefined) rmSync(fsPath(to));
      mkdirSync(fsPath(to), 0o700);
    } else {
      // A directory that denies it must not stop its owner.
      chmodSync(fsPath(to), 0o700);
    }
    this.children(from, to);
    chmodSync(fsPath(to), Number(stat.mode & 0o7777n));
    this.#sys.utimens(fsPath(to), stat.mtimeNs);
  }

  /** False for what an ordinary copy leaves out. */
  #create(from: BytePath, to: BytePath, stat: BigIntStats): boolean {
    if (!stat.isFile() && !stat.isSymbolicLink() && !stat.isFIFO()) return false;
    rmSync(fsPath(to), { recursive: true, force: true });
    const mode = Number(stat.mode & 0o7777n);
    if (stat.isFile()) {
      this.#file(from, to, mode);
    } else if (stat.isSymbolicLink()) {
      symlinkSync(fsPath(readlinkSync(fsPath(from), 'latin1')), fsPath(to));
    } else {
      this.#sys.mknod(fsPath(to), S_IFIFO | 0o600, 0, 0);
      chmodSync(fsPath(to), mode);
    }
    return true;
  }

  #file(from: BytePath, to: BytePath, mode: number): void {
    const source = openSync(fsPath(from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const target = openSync(fsPath(to), 'wx', 0o600);
      try {
        for (;;) {
          const count = readSync(source, this.#buffer, 0, CHUNK, null);
          if (count === 0) break;
          writeFully(target, this.#buffer.subarray(0, count));
        }
        fchmodSync(target, mode);
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  }
}
