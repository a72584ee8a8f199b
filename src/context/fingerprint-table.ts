import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { decodeXattrs, encodeXattrs } from './xattr-list.ts';

/** Version of the file's layout and of what a record promises. */
const FORMAT = 1;
const MAGIC = 0x58495746;
const HEADER_BYTES = 32;
/** Eight-byte words of a record: dev, ino, size, mtime, ctime, mode and place of the xattrs, digest (4 words). */
const WORDS = 10;
/** An index beyond this is not ours. */
const MAX_FILE_BYTES = 1 << 30;

/** Stat data that changes whenever a file's content, mode or extended attributes change. */
export interface Fingerprint {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  mode: bigint;
}

/** What was learned about an inode by opening it. */
export interface Known {
  /** SHA-256 of the content, hex; undefined for what has no content, and for files not yet read. */
  sha256: string | undefined;
  xattrs: Map<string, Buffer> | undefined;
}

export interface TableRecord extends Fingerprint, Known {}

/** The index file as it lies in memory. */
export interface FingerprintTable {
  count: number;
  /** Records as they lie in the file. */
  words: BigUint64Array;
  halves: Uint32Array;
  bytes: Buffer;
  /** JSON-free list of attributes: see {@link encodeXattrs}. */
  xattrs: Buffer;
  /** Open addressing over record numbers + 1; 0 is free. */
  slots: Int32Array;
}

export function emptyTable(): FingerprintTable {
  return tableOver(new ArrayBuffer(0), Buffer.alloc(0));
}

function tableOver(records: ArrayBuffer, xattrs: Buffer): FingerprintTable {
  const words = new BigUint64Array(records);
  const count = words.length / WORDS;
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2)));
  const halves = new Uint32Array(records);
  for (let i = 0; i < count; i++) {
    let slot = hashInode(halves[i * WORDS * 2 + 2]!) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = i + 1;
  }
  return { count, words, halves, bytes: Buffer.from(records), xattrs, slots };
}

/** Inode numbers are often consecutive: spread them. */
function hashInode(low: number): number {
  return Math.imul(low, 0x9e3779b1) >>> 7;
}

export function lookUp(table: FingerprintTable, print: Fingerprint): number {
  const { words, slots } = table;
  let slot = hashInode(Number(BigInt.asUintN(32, print.ino))) & (slots.length - 1);
  for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
    const at = slots[slot]! - 1;
    const base = at * WORDS;
    if (words[base + 1] !== print.ino || words[base] !== print.dev) continue;
    const same =
      words[base + 2] === print.size &&
      words[base + 3] === BigInt.asUintN(64, print.mtimeNs) &&
      words[base + 4] === BigInt.asUintN(64, print.ctimeNs) &&
      (table.halves[base * 2 + 10]! & 0xffff) === Number(print.mode);
    return same ? at : -1;
  }
  return -1;
}

/** Beside the mode: is there a digest? */
const HAS_DIGEST = 0x10000;

export function knownAt(table: FingerprintTable, at: number): Known {
  const base = at * WORDS;
  const flags = table.halves[base * 2 + 10]!;
  const place = table.halves[base * 2 + 11]!;
  const start = base * 8 + 48;
  return {
    sha256: (flags & HAS_DIGEST) === 0 ? undefined : table.bytes.toString('hex', start, start + 32),
    xattrs: place === 0 ? undefined : decodeXattrs(table.xattrs, place - 1),
  };
}

export function recordAt(table: FingerprintTable, at: number): TableRecord {
  const base = at * WORDS;
  return {
    dev: table.words[base]!,
    ino: table.words[base + 1]!,
    size: table.words[base + 2]!,
    mtimeNs: table.words[base + 3]!,
    ctimeNs: table.words[base + 4]!,
    mode: BigInt(table.halves[base * 2 + 10]! & 0xffff),
    ...knownAt(table, at),
  };
}

export function readTable(file: string): FingerprintTable | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() || stat.size < HEADER_BYTES || stat.size > MAX_FILE_BYTES) return undefined;
    const all = Buffer.from(new ArrayBuffer(stat.size));
    if (fs.readSync(descriptor, all, 0, stat.size, 0) !== stat.size) return undefined;
    const header = new Uint32Array(all.buffer, 0, HEADER_BYTES / 4);
    const end = HEADER_BYTES + header[2]! * WORDS * 8;
    if (header[0] !== MAGIC || header[1] !== FORMAT || end + header[3]! !== stat.size) return undefined;
    if (crc32(all.subarray(HEADER_BYTES)) !== header[4]) return undefined;
    return tableOver(all.buffer.slice(HEADER_BYTES, end) as ArrayBuffer, all.subarray(end));
  } catch {
    return undefined;
  } finally {
    fs.closeSync(descriptor);
  }
}

export function writeTable(file: string, records: Iterable<TableRecord>): void {
  const list = [...records];
  const xattrs: Buffer[] = [];
  let xattrBytes = 0;
  const body = new ArrayBuffer(HEADER_BYTES + list.length * WORDS * 8);
  const words = new BigUint64Array(body, HEADER_BYTES);
  const halves = new Uint32Array(body, HEADER_BYTES);
  const bytes = Buffer.from(body);
  list.forEach((record, index) => {
    const base = index * WORDS;
    words[base] = record.dev;
    words[base + 1] = record.ino;
    words[base + 2] = record.size;
    words[base + 3] = record.mtimeNs;
    words[base + 4] = record.ctimeNs;
    halves[base * 2 + 10] = Number(record.mode) | (record.sha256 === undefined ? 0 : HAS_DIGEST);
    if (record.sha256 !== undefined) bytes.write(record.sha256, HEADER_BYTES + base * 8 + 48, 'hex');
    if (record.xattrs === undefined || record.xattrs.size === 0) return;
    const encoded = encodeXattrs(record.xattrs);
    halves[base * 2 + 11] = xattrBytes + 1;
    xattrs.push(encoded);
    xattrBytes += encoded.length;
  });
  const tail = Buffer.concat(xattrs);
  const checksum = crc32(tail, crc32(bytes.subarray(HEADER_BYTES)));
  new Uint32Array(body, 0, HEADER_BYTES / 4).set([MAGIC, FORMAT, list.length, tail.length, checksum]);

  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    fs.writeFileSync(temporary, Buffer.concat([bytes, tail]), { mode: 0o600, flag: 'wx' });
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}
