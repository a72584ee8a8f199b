import { closeSync, fstatSync } from 'node:fs';
import { pathNames } from '../layer/paths.ts';
import { isZeroBlock, parseBlock, type RawHeader } from '../layer/tar-block.ts';
import { BLOCK, paddingOf, tarLimits } from '../layer/tar-format.ts';
import { decodePax } from '../layer/tar-pax.ts';
import { type BytePath, bytesOf, textOf } from '../sys/bytes.ts';
import { type ArchiveFile, type ArchiveFiles, badArchive } from './archive-files.ts';
import { readExactly, readRange } from './read-range.ts';

/** Entries of an image archive; a few per layer are usual. */
const MAX_ENTRIES = 200_000;
const MAX_LINKS = 40;

type Entry =
  | { kind: 'file'; offset: number; size: number }
  /** A path from the archive's root. */
  | { kind: 'link'; target: BytePath[] }
  | { kind: 'other' };

/**
 * The files of a tar archive that is an ordinary file and not compressed, by an index of its headers: no content is
 * read before it is asked for. `close` closes `fd` unless `keepOpen`.
 *
 * @throws SlipwayError `ARCHIVE_INVALID` and the codec's `TAR_…` for what is not a tar archive.
 */
export function openTarFiles(fd: number, options: { keepOpen?: boolean } = {}): ArchiveFiles {
  const entries = indexTar(fd, fstatSync(fd).size);
  return {
    find: (path) => findFile(fd, entries, path),
    folders: () => foldersOf(entries),
    close: () => {
      if (options.keepOpen !== true) closeSync(fd);
    },
  };
}

function foldersOf(entries: ReadonlyMap<BytePath, Entry>): string[] {
  const names = new Set<BytePath>();
  for (const path of entries.keys()) {
    const slash = path.indexOf('/');
    if (slash > 0) names.add(path.slice(0, slash));
  }
  return [...names].sort().map(textOf);
}

function findFile(fd: number, entries: Map<BytePath, Entry>, path: string): ArchiveFile | undefined {
  let key = pathNames(bytesOf(path)).join('/');
  for (let links = 0; links <= MAX_LINKS; links++) {
    const entry = entries.get(key);
    if (entry === undefined || entry.kind === 'other') return undefined;
    if (entry.kind === 'file') {
      return { name: textOf(key), size: entry.size, read: (aborted) => readRange(fd, entry, aborted) };
    }
    key = entry.target.join('/');
  }
  throw badArchive(`too many links at ${JSON.stringify(path)}`);
}

function indexTar(fd: number, total: number): Map<BytePath, Entry> {
  const entries = new Map<BytePath, Entry>();
  const extended = new Extended();
  for (let at = 0; at + BLOCK <= total; ) {
    const block = readExactly(fd, at, BLOCK);
    if (isZeroBlock(block)) break;
    const raw = parseBlock(block);
    at += BLOCK;
    const size = extended.isHeader(raw.flag) ? raw.size : extended.sizeOf(raw);
    const next = at + size + paddingOf(size);
    if (!Number.isSafeInteger(size) || size < 0 || at + size > total) throw badArchive('it ends too early');
    if (extended.isHeader(raw.flag)) {
      if (size > tarLimits.extendedHeader) throw badArchive('an extended tar header is too large');
      extended.add(raw.flag, readExactly(fd, at, size));
    } else {
      addEntry(entries, extended.take(raw), { offset: at, size });
    }
    at = next;
  }
  return entries;
}

function addEntry(
  entries: Map<BytePath, Entry>,
  header: { path: BytePath; link: BytePath; flag: string },
  range: { offset: number; size: number },
): void {
  const names = pathNames(header.path);
  if (entries.size >= MAX_ENTRIES) throw badArchive(`it has more than ${MAX_ENTRIES} entries`);
  entries.set(names.join('/'), entryOf(header, names, range));
}

function entryOf(
  { flag, link }: { flag: string; link: BytePath },
  names: BytePath[],
  range: { offset: number; size: number },
): Entry {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      return { kind: 'file', ...range };
    case '1':
      return { kind: 'link', target: pathNames(link) };
    case '2': {
      const from = link.startsWith('/') ? '' : names.slice(0, -1).join('/');
      return { kind: 'link', target: pathNames(`${from}/${link}`) };
    }
    default:
      return { kind: 'other' };
  }
}

/** What extended headers say about the entry after them. */
class Extended {
  #path: BytePath | undefined;
  #link: BytePath | undefined;
  #size: number | undefined;

  isHeader(flag: string): boolean {
    return 'xXgLK'.includes(flag);
  }

  sizeOf(raw: RawHeader): number {
    // Links and directories have no content, whatever their size field says.
    return '123456'.includes(raw.flag) ? 0 : (this.#size ?? raw.size);
  }

  add(flag: string, body: Buffer): void {
    if (flag === 'L') this.#path = untilNul(body);
    else if (flag === 'K') this.#link = untilNul(body);
    else if (flag !== 'g') {
      for (const [key, value] of decodePax(body)) {
        const text = value.toString('latin1');
        if (key === 'path') this.#path = text;
        else if (key === 'linkpath') this.#link = text;
        else if (key === 'size') this.#size = Number(text);
        else if (key.startsWith('GNU.sparse.')) throw badArchive('it holds sparse files');
      }
    }
  }

  take(raw: RawHeader): { path: BytePath; link: BytePath; flag: string } {
    const taken = { path: this.#path ?? raw.path, link: this.#link ?? raw.link ?? '', flag: raw.flag };
    this.#path = undefined;
    this.#link = undefined;
    this.#size = undefined;
    return taken;
  }
}

function untilNul(body: Buffer): BytePath {
  const end = body.indexOf(0);
  return body.toString('latin1', 0, end < 0 ? body.length : end);
}
