import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { Transform } from 'node:stream';
import { SlipwayError } from '../../errors/index.ts';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { decompress } from '../../layer/compress.ts';
import type { TarHeader } from '../../layer/tar-format.ts';
import { TarReader } from '../../layer/tar-read.ts';
import { UnpackLimits } from '../../layer/unpack-limits.ts';
import { xattrTravels } from '../../layer/xattr-rules.ts';
import { type BytePath, bufferOf, textOf } from '../../sys/bytes.ts';
import { S_IFIFO } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { MetadataKeeper } from '../step/metadata-keeper.ts';
import { ensureDirectory, resolveInRoot } from '../step/root-path.ts';
import { refuseWhiteoutName } from './copy-entry.ts';
import { changed, openSource } from './copy-file.ts';

const CHUNK = 1024 * 1024;

/**
 * True when a file is a tar archive, compressed or not: when its first header can be read (SPEC 1.12, A2).
 * Anything else, an empty or broken archive included, is a plain file.
 */
export async function isArchive(path: BytePath): Promise<boolean> {
  const input = createReadStream('', { fd: openSource(path).fd, highWaterMark: 64 * 1024 });
  let found = false;
  const reader = new TarReader({
    entry: () => {
      found = true;
    },
    data: () => {},
    end: () => {},
  });
  try {
    for await (const chunk of await decompress(input)) {
      reader.write(chunk as Buffer);
      if (found || reader.ended) break;
    }
  } catch {
    return found;
  } finally {
    input.destroy();
  }
  return found;
}

export interface ExtractRequest {
  archive: BytePath;
  /** Of the archive file as it is, hex: what the cache key was made of. */
  sha256: string;
  /** Absolute real path of the destination directory. */
  target: BytePath;
  /** `--chown`; undefined keeps the archive's owners. */
  owner: { uid: number; gid: number } | undefined;
  keeper: MetadataKeeper;
  /** Looked at for every MiB. */
  aborted: Aborted;
}

/**
 * ADD of a local archive: its entries go over what is there, directories are merged (A1). Every parent is resolved
 * inside the root when its entry comes, so that a link made by an earlier entry leads nowhere else.
 *
 * Throws `invalid` for an archive that names things outside itself or is broken, `changed` when it is not the file
 * that the key was made of, `exhausted` beyond the limits of a layer.
 */
export async function extractArchive(sys: Sys, request: ExtractRequest): Promise<void> {
  const digest = createHash('sha256');
  const input = createReadStream('', { fd: openSource(request.archive).fd, highWaterMark: CHUNK });
  const hashing = new Transform({
    highWaterMark: CHUNK,
    transform: (chunk: Buffer, _encoding, done) => {
      digest.update(chunk);
      done(null, chunk);
    },
  });
  input.on('error', (error) => hashing.destroy(error));
  const extractor = new Extractor(sys, request);
  const reader = new TarReader(extractor);
  const tar = await decompress(input.pipe(hashing));
  for await (const chunk of tar) {
    throwIfAborted(request.aborted);
    reader.write(chunk as Buffer);
  }
  reader.end();
  extractor.finish();
  // What follows the archive's end still belongs to the file.
  for await (const _ of hashing) void _;
  if (digest.digest('hex') !== request.sha256) throw changed(request.archive);
}

class Extractor {
  readonly #sys: Sys;
  readonly #request: ExtractRequest;
  readonly #limits = new UnpackLimits({});
  readonly #parents = new Map<BytePath, BytePath>();
  readonly #directories: { path: BytePath; mtimeNs: bigint }[] = [];
  #file: { fd: number; header: TarHeader; path: BytePath } | undefined;

  constructor(sys: Sys, request: ExtractRequest) {
    this.#sys = sys;
    this.#request = request;
  }

  entry(header: TarHeader): void {
    this.#limits.count(header);
    const parts = cleanParts(header.path);
    refuseWhiteoutName(parts.join('/'));
    // The archive's own root says nothing about the destination, as in Docker.
    if (parts.length === 0) return;
    const path = this.#place(parts);
    const existing = lstatSync(bufferOf(path), { throwIfNoEntry: false });
    if (header.type === 'directory') {
      if (existing && !existing.isDirectory()) rmSync(bufferOf(path));
      if (!existing?.isDirectory()) mkdirSync(bufferOf(path), { mode: 0o700 });
      this.#parents.clear();
      this.#attributes(header, path, existing?.isDirectory());
      this.#directories.push({ path, mtimeNs: header.mtimeNs });
      return;
    }
    if (existing) rmSync(bufferOf(path), { recursive: true });
    if (existing?.isDirectory() || header.type === 'symlink') this.#parents.clear();
    this.#make(header, path);
  }

  data(chunk: Buffer, offset: number): void {
    if (!this.#file) return;
    const { fd } = this.#file;
    for (let done = 0; done < chunk.length; ) {
      done += writeSync(fd, chunk, done, chunk.length - done, offset + done);
    }
  }

  end(): void {
    if (!this.#file) return;
    const { fd, header, path } = this.#file;
    this.#file = undefined;
    ftruncateSync(fd, header.size);
    closeSync(fd);
    this.#attributes(header, path);
  }

  /** Directory times last: every entry made in one changes it. */
  finish(): void {
    for (const { path, mtimeNs } of this.#directories.reverse()) {
      if (lstatSync(bufferOf(path), { throwIfNoEntry: false })?.isDirectory()) {
        this.#sys.utimens(bufferOf(path), mtimeNs);
      }
    }
  }

  #make(header: TarHeader, path: BytePath): void {
    switch (header.type) {
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        this.#file = { fd: openSync(bufferOf(path), flags, 0o600), header, path };
        return;
      }
      case 'symlink':
        symlinkSync(bufferOf(header.link ?? ''), bufferOf(path));
        break;
      case 'hardlink': {
        const target = this.#place(cleanParts(header.link ?? ''));
        this.#request.keeper.link(target, path);
        return;
      }
      case 'fifo':
        this.#sys.mknod(bufferOf(path), S_IFIFO | 0o600, 0, 0);
        break;
      default: {
        if (header.type === 'char' && !header.major && !header.minor) {
          throw new SlipwayError(
            'invalid',
            `${textOf(header.path)} is a character device 0:0, which marks deletions`,
            {
              code: 'WHITEOUT_DEVICE',
            },
          );
        }
        const { major = 0, minor = 0 } = header;
        const type = header.type === 'char' ? 'char' : 'block';
        this.#request.keeper.makeDevice(path, { type, major, minor });
      }
    }
    this.#attributes(header, path);
  }

  /**
   * Absolute path of an entry; its parents exist and are real directories inside the destination, which links on the
   * way see as their root. A link that leads to nothing is not filled in.
   */
  #place(parts: BytePath[]): BytePath {
    const { target } = this.#request;
    if (parts.length === 0) return target;
    const parent = parts.slice(0, -1).join('/');
    let real = this.#parents.get(parent);
    if (real === undefined) {
      const { existing, missing } = resolveInRoot(target, parent);
      if (missing.length > 0 && [...existing, ...missing].join('/') !== parent) {
        const path = textOf(parts.join('/'));
        throw new SlipwayError('invalid', `cannot extract ${path}: no such file or directory behind a link`, {
          code: 'ARCHIVE_LINK',
          hint: 'Links in an archive are followed inside the destination of ADD only.',
        });
      }
      real = ensureDirectory(target, parent);
      this.#parents.set(parent, real);
    }
    return `${real}/${parts.at(-1)!}`;
  }

  #attributes(header: TarHeader, path: BytePath, existing = false): void {
    const { keeper } = this.#request;
    const owner = this.#request.owner ?? header;
    const at = bufferOf(path);
    if (existing) keeper.setOwnerAgain(path, owner);
    else keeper.setOwner(path, owner);
    if (header.type !== 'symlink') keeper.setMode(path, header.mode);
    for (const [name, value] of header.xattrs ?? []) {
      if (!xattrTravels(name)) continue;
      try {
        this.#sys.lsetxattr(at, name, value);
      } catch {
        // Best effort, as in Docker: the file system may know no such attribute.
      }
    }
    if (header.type !== 'directory') this.#sys.utimens(at, header.mtimeNs);
  }
}

/** Names from the archive's root; a path that climbs above it is refused (Docker: breakout). */
function cleanParts(path: BytePath): BytePath[] {
  const parts: BytePath[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) {
      throw new SlipwayError('invalid', `the archive names ${textOf(path)}, which lies outside of it`, {
        code: 'ARCHIVE_ESCAPES',
      });
    }
  }
  return parts;
}
