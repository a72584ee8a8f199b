import fs from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Extract, Header } from 'tar-stream';
import { SlipwayError } from '../errors/index.ts';
import { type BytePath, bufferOf, bytesOf, textOf } from '../sys/bytes.ts';
import { clampPath, joinPath, parentOf } from './clean-path.ts';

/** What an archive may bring along at most; both limits are named when they are reached. */
export interface ArchiveLimits {
  entries: number;
  bytes: number;
}

const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = { entries: 5_000_000, bytes: 64 * 2 ** 30 };

/** An entry's header with the PAX values that tar-stream hands on beside it. */
type PaxHeader = Omit<Header, 'type'> & { type: string | null; pax?: Record<string, string> | null };

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

/**
 * Unpacks a tar stream into an empty directory of our own. What is where is known from what was unpacked: no path
 * is followed through a symbolic link of the archive, so nothing is written outside. Owners are not kept: in a
 * context every file is root's.
 *
 * @param chunks the archive, decompressed
 * @param root absolute path of the directory
 * @throws SlipwayError `invalid` BAD_CONTEXT_ARCHIVE, `exhausted` CONTEXT_TOO_LARGE, `canceled`
 */
export async function unpackArchive(
  chunks: AsyncIterable<Buffer>,
  root: string,
  options: { limits?: ArchiveLimits; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { extract } = await import('tar-stream');
  // Names as bytes; v7 archives are fine.
  const parser = extract({ filenameEncoding: 'latin1', allowUnknownFormat: true } as object);
  const feeding = pipeline(Readable.from(chunks, { objectMode: false }), parser, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  // The same failure ends the loop below; here it only must not go unheard.
  feeding.catch(() => {});
  const target = new Unpacker(bytesOf(root), options.limits ?? DEFAULT_ARCHIVE_LIMITS);
  try {
    for await (const entry of parser) await target.add(entry);
    await feeding;
    target.finish();
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    if (options.signal?.aborted)
      throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause: error });
    throw bad(error instanceof Error ? error.message : 'unreadable archive', error);
  } finally {
    parser.destroy();
  }
}

type Placed = 'directory' | 'file' | 'other';

class Unpacker {
  readonly #root: BytePath;
  readonly #limits: ArchiveLimits;
  readonly #placed = new Map<BytePath, Placed>([['', 'directory']]);
  /** Directories get mode and time last: files are still put into them. */
  readonly #directories = new Map<BytePath, { mode: number; mtime: number }>();
  #entries = 0;
  #bytes = 0;

  constructor(root: BytePath, limits: ArchiveLimits) {
    this.#root = root;
    this.#limits = limits;
  }

  async add(entry: Entry): Promise<void> {
    const header = entry.header as PaxHeader;
    this.#count(1, 0);
    const path = entryPath(header.pax?.path === undefined ? header.name : bytesOf(header.pax.path));
    const mode = (header.mode ?? 0o644) & 0o7777;
    const mtime = modificationTime(header);
    if (header.type === 'directory') {
      this.#makeDirectory(path);
      this.#directories.set(path, { mode, mtime });
    } else if (path === '') {
      throw bad('an entry that is not a directory has the name of the root');
    } else if (header.type === 'file' || header.type === 'contiguous-file') {
      await this.#writeFile(path, entry, { mode, mtime });
    } else if (header.type === 'link') {
      this.#link(path, entryPath(linkName(header)));
    } else if (header.type === 'symlink') {
      this.#clear(path);
      fs.symlinkSync(bufferOf(linkName(header)), this.#full(path));
      fs.lutimesSync(this.#full(path), mtime, mtime);
      this.#placed.set(path, 'other');
    } else if (header.type !== 'pax-global-header') {
      throw bad(
        `"${textOf(path)}" is a ${header.type ?? 'file of an unknown kind'}, which a context cannot hold`,
      );
    }
    entry.resume();
  }

  finish(): void {
    for (const [path, { mode, mtime }] of [...this.#directories].reverse()) {
      fs.chmodSync(this.#full(path), path === '' ? mode | 0o700 : mode);
      fs.utimesSync(this.#full(path), mtime, mtime);
    }
  }

  async #writeFile(path: BytePath, entry: Entry, attributes: { mode: number; mtime: number }): Promise<void> {
    this.#clear(path);
    const descriptor = fs.openSync(this.#full(path), 'wx', 0o600);
    try {
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        this.#count(0, chunk.length);
        for (let at = 0; at < chunk.length; ) at += fs.writeSync(descriptor, chunk, at);
      }
      fs.fchmodSync(descriptor, attributes.mode);
      fs.futimesSync(descriptor, attributes.mtime, attributes.mtime);
    } finally {
      fs.closeSync(descriptor);
    }
    this.#placed.set(path, 'file');
  }

  #link(path: BytePath, target: BytePath): void {
    if (this.#placed.get(target) !== 'file')
      throw bad(`"${textOf(path)}" is a hard link to a file that is not there`);
    if (path === target) return;
    this.#clear(path);
    fs.linkSync(this.#full(target), this.#full(path));
    this.#placed.set(path, 'file');
  }

  /** Makes room for a name: its parents exist, and what an earlier entry put there is gone. */
  #clear(path: BytePath): void {
    this.#makeDirectory(parentOf(path));
    const there = this.#placed.get(path);
    if (there === undefined) return;
    if (there === 'directory') throw bad(`"${textOf(path)}" is a directory and something else`);
    fs.unlinkSync(this.#full(path));
    this.#placed.delete(path);
  }

  #makeDirectory(path: BytePath): void {
    const there = this.#placed.get(path);
    if (there === 'directory') return;
    if (there !== undefined) throw bad(`"${textOf(path)}" is used as a directory and is none`);
    this.#makeDirectory(parentOf(path));
    this.#count(1, 0);
    fs.mkdirSync(this.#full(path), 0o755);
    this.#placed.set(path, 'directory');
  }

  #full(path: BytePath): Buffer {
    return bufferOf(joinPath(this.#root, path));
  }

  #count(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
    const limits = this.#limits;
    if (this.#entries <= limits.entries && this.#bytes <= limits.bytes) return;
    throw new SlipwayError(
      'exhausted',
      `the build context is larger than ${limits.bytes} bytes or ${limits.entries} files`,
      { code: 'CONTEXT_TOO_LARGE' },
    );
  }
}

/** Path of an entry inside the root. `..` is refused, not resolved: whoever writes it means no good. */
function entryPath(name: BytePath): BytePath {
  if (name.includes('\0') || name.split('/').includes('..'))
    throw bad(`"${textOf(name)}" is not a safe name`);
  return clampPath(name);
}

function linkName(header: PaxHeader): BytePath {
  const name = header.pax?.linkpath === undefined ? (header.linkname ?? '') : bytesOf(header.pax.linkpath);
  if (name === '' || name.includes('\0')) throw bad('a link without a target');
  return name;
}

/** Seconds since 1970; PAX keeps fractions that the header does not. */
function modificationTime(header: PaxHeader): number {
  const exact = Number.parseFloat(header.pax?.mtime ?? '');
  return Number.isFinite(exact) ? exact : (header.mtime?.getTime() ?? 0) / 1000;
}

function bad(reason: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `cannot unpack the build context: ${reason}`, {
    code: 'BAD_CONTEXT_ARCHIVE',
    cause,
  });
}
