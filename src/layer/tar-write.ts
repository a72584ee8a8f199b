import { isAscii } from '../sys/bytes.ts';
import { BLOCK, paddingOf, type TarHeader, type TarType } from './tar-format.ts';
import { octalLimit, writeOctal } from './tar-number.ts';
import { encodePax, encodeXattrKey, formatPaxTime } from './tar-pax.ts';

const second = 1_000_000_000n;
const maximumId = octalLimit(8);
const maximumLong = octalLimit(12);
/** Nanoseconds: up to here whole seconds fit the field. */
const maximumTime = (BigInt(maximumLong) + 1n) * second - 1n;

const typeFlag: Record<TarType, number> = {
  file: 48,
  hardlink: 49,
  symlink: 50,
  char: 51,
  block: 52,
  directory: 53,
  fifo: 54,
};

/** Copied where zeros are needed: to fill shared memory V8 writes byte after byte. */
export const zeroBlock = Buffer.alloc(BLOCK);

/** The two zero blocks that end an archive. */
export const endOfArchive = Buffer.alloc(2 * BLOCK);

/**
 * The header blocks of one entry: a ustar header, and before it a PAX extended header for whatever ustar cannot
 * hold (as Go's archive/tar decides it: paths that are long or not ASCII, large ids and sizes, times with a
 * fraction, before 1970 or after 2242, attributes). No user and group names. Same header, same bytes.
 *
 * A directory's path must end in a slash. Content and its padding to a block are the caller's.
 */
export function encodeTarHeader(header: TarHeader): Buffer {
  const extension = extensionOf(header);
  const blocks = Buffer.allocUnsafe(lengthOf(extension));
  writeBlocks(blocks, 0, header, extension);
  return blocks;
}

/**
 * Writes the same into `target` at `offset`, if it ends at `limit` or before. Returns its length, or 0 when there is
 * no room. Saves the packer the buffers.
 */
export function writeTarHeader(target: Buffer, offset: number, limit: number, header: TarHeader): number {
  const extension = extensionOf(header);
  const length = lengthOf(extension);
  if (offset + length > limit) return 0;
  writeBlocks(target, offset, header, extension);
  return length;
}

/** Of the header blocks. */
function lengthOf(extension: string): number {
  const { length } = extension;
  return length === 0 ? BLOCK : BLOCK + length + paddingOf(length) + BLOCK;
}

function writeBlocks(target: Buffer, offset: number, header: TarHeader, extension: string): void {
  const { length } = extension;
  let at = offset;
  if (length > 0) {
    const slash = header.path.lastIndexOf('/', header.path.length - 2);
    const path = `PaxHeaders.0/${header.path.slice(slash + 1)}`.slice(0, 99);
    writeUstar(target, at, { ...extendedHeader, path, size: length }, 120);
    at += BLOCK;
    target.write(extension, at, 'latin1');
    at += length;
    at += zeroBlock.copy(target, at, 0, paddingOf(length));
  }
  writeUstar(target, at, header, typeFlag[header.type]);
}

const extendedHeader = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n } as const;

/** Body of the extended header: what ustar cannot hold, sorted by key; empty when it holds everything. */
function extensionOf({ path, link, uid, gid, size, mtimeNs, xattrs }: TarHeader): string {
  let body = '';
  if (xattrs !== undefined) {
    const keyed = [...xattrs].map(([name, value]) => ({ key: encodeXattrKey(name), value }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const { key, value } of keyed) body += encodePax(key, value.toString('latin1'));
  }
  if (gid > maximumId) body += encodePax('gid', String(gid));
  if (link !== undefined && (link.length > 100 || !isAscii(link))) body += encodePax('linkpath', link);
  if (mtimeNs < 0n || mtimeNs > maximumTime || mtimeNs % second !== 0n)
    body += encodePax('mtime', formatPaxTime(mtimeNs));
  if (!isAscii(path) || (path.length > 100 && splitPath(path) === undefined)) body += encodePax('path', path);
  if (size > maximumLong) body += encodePax('size', String(size));
  if (uid > maximumId) body += encodePax('uid', String(uid));
  return body;
}

/** The last slash that leaves at most 155 bytes before it and 1 to 100 behind: ustar's prefix and name. */
function splitPath(path: string): { prefix: string; name: string } | undefined {
  const searched = Math.min(155, path.length - 2);
  const slash = path.lastIndexOf('/', searched);
  if (slash <= 0 || path.length - slash - 1 > 100) return undefined;
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

/** A header whose numbers are all 0. */
const emptyHeader = Buffer.alloc(BLOCK);
for (const [offset, width] of [
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [148, 7],
  [329, 8],
  [337, 8],
] as const)
  emptyHeader.fill('0', offset, offset + width - 1);
emptyHeader[155] = 32;
emptyHeader.write('ustar\x0000', 257, 'latin1');

/** Of its bytes; the checksum counts its own eight as spaces. */
const emptySum = emptyHeader.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0);

/** Adds up what it writes: most of a block are zeros, and to go through them all costs more than the rest. */
function writeUstar(block: Buffer, offset: number, header: TarHeader, flag: number): void {
  const { path, link, mtimeNs, major = 0, minor = 0 } = header;
  emptyHeader.copy(block, offset);
  const split = path.length > 100 && isAscii(path) ? splitPath(path) : undefined;
  let sum = emptySum + flag + writeText(block, offset, split?.name ?? path);
  sum += writeOctal(block, offset + 107, maximumId, header.mode);
  sum += writeOctal(block, offset + 115, maximumId, header.uid);
  sum += writeOctal(block, offset + 123, maximumId, header.gid);
  sum += writeOctal(block, offset + 135, maximumLong, header.size);
  sum += writeOctal(block, offset + 147, maximumLong, mtimeNs < 0n ? 0 : Number(mtimeNs / second));
  block[offset + 156] = flag;
  if (link !== undefined) sum += writeText(block, offset + 157, link);
  if (major !== 0) sum += writeOctal(block, offset + 336, maximumId, major);
  if (minor !== 0) sum += writeOctal(block, offset + 344, maximumId, minor);
  if (split !== undefined) sum += writeText(block, offset + 345, split.prefix, 155);
  writeOctal(block, offset + 154, maximumId, sum);
}

/** The first `width` bytes of a text. Returns their sum. */
function writeText(block: Buffer, offset: number, text: string, width = 100): number {
  const length = Math.min(text.length, width);
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const byte = text.charCodeAt(i);
    block[offset + i] = byte;
    sum += byte;
  }
  return sum;
}
