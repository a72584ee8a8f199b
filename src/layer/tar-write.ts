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
    writeUstar(
      target,
      at,
      { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: length, mtimeNs: 0n },
      120,
    );
    at += BLOCK;
    target.write(extension, at, 'latin1');
    at += length;
    at += zeroBlock.copy(target, at, 0, paddingOf(length));
  }
  writeUstar(target, at, header, typeFlag[header.type]);
}

/** Body of the extended header: what ustar cannot hold, sorted by key; empty when it holds everything. */
function extensionOf(header: TarHeader): string {
  const { path, link, uid, gid, size, mtimeNs, xattrs } = header;
  const records: [key: string, value: string][] = [];
  if (xattrs !== undefined) {
    for (const [name, value] of xattrs) records.push([encodeXattrKey(name), value.toString('latin1')]);
  }
  if (gid > maximumId) records.push(['gid', String(gid)]);
  if (link !== undefined && (link.length > 100 || !isAscii(link))) records.push(['linkpath', link]);
  if (mtimeNs < 0n || mtimeNs > maximumTime || mtimeNs % second !== 0n)
    records.push(['mtime', formatPaxTime(mtimeNs)]);
  if (!isAscii(path) || (path.length > 100 && splitPath(path) === undefined)) records.push(['path', path]);
  if (size > maximumLong) records.push(['size', String(size)]);
  if (uid > maximumId) records.push(['uid', String(uid)]);
  if (records.length > 1) records.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return encodePax(records);
}

/** The last slash that leaves at most 155 bytes before it and 1 to 100 behind: ustar's prefix and name. */
function splitPath(path: string): { prefix: string; name: string } | undefined {
  const searched = Math.min(155, path.length - 2);
  const slash = path.lastIndexOf('/', searched);
  if (slash <= 0 || path.length - slash - 1 > 100) return undefined;
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}

function writeUstar(block: Buffer, offset: number, header: TarHeader, flag: number): void {
  const { path, link, mtimeNs, major = 0, minor = 0 } = header;
  zeroBlock.copy(block, offset);
  const split = path.length > 100 && isAscii(path) ? splitPath(path) : undefined;
  block.write(split?.name ?? path.slice(0, 100), offset, 'latin1');
  writeOctal(block, offset + 100, 8, header.mode);
  writeOctal(block, offset + 108, 8, header.uid);
  writeOctal(block, offset + 116, 8, header.gid);
  writeOctal(block, offset + 124, 12, header.size);
  writeOctal(block, offset + 136, 12, mtimeNs < 0n ? 0 : Number(mtimeNs / second));
  block[offset + 156] = flag;
  if (link !== undefined) block.write(link.slice(0, 100), offset + 157, 'latin1');
  block.write('ustar\x0000', offset + 257, 'latin1');
  writeOctal(block, offset + 329, 8, major);
  writeOctal(block, offset + 337, 8, minor);
  if (split !== undefined) block.write(split.prefix, offset + 345, 'latin1');
  // The checksum counts its own eight bytes as spaces.
  let sum = 8 * 32;
  for (let i = offset; i < offset + BLOCK; i++) sum += block[i]!;
  writeOctal(block, offset + 148, 7, sum);
  block[offset + 155] = 32;
}
