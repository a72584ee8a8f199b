import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { FINGERPRINT_WORDS, type Fingerprint, type FingerprintList, hashInode } from './fingerprint-list.ts';
import type { LearnedFingerprints } from './learned-fingerprints.ts';
import { decodeXattrs, encodeXattrs } from './xattr-list.ts';

/** Version of the file's layout and of what a record promises. */
const FORMAT = 2;
const MAGIC = 0x58495746;
const HEADER_BYTES = 32;
/** Eight-byte words of a record: dev, ino, size, mtime, ctime, mode and place of the xattrs, digest (4 words). */
const WORDS = 10;
/** An index beyond this is not ours. */
const MAX_FILE_BYTES = 1 << 30;

/** What was learned about an inode by opening it. */
export interface Known {
  /** SHA-256 of the content, hex; undefined for what has no content, and for files not yet read. */
  readonly sha256: string | undefined;
  readonly xattrs: Map<string, Buffer> | undefined;
}

export interface TableRecord {
  print: Fingerprint;
  known: Known;
}

/** The index file as it lies in memory. */
export interface FingerprintTable {
  count: number;
  /** Records as they lie in the file. */
  words: BigUint64Array;
  halves: Uint32Array;
  bytes: Buffer;
  /** JSON-free list of attributes: see {@link encodeXattrs}. */
  xattrs: Buffer;
  /** Open addressing by inode over record numbers + 1; 0 is free. Kept in the file. */
  slots: Int32Array;
}

export function emptyTable(): FingerprintTable {
  return { count: 0, ...viewsOf(new ArrayBuffer(0), 0), xattrs: Buffer.alloc(0), slots: new Int32Array(1) };
}

function viewsOf(
  memory: ArrayBuffer,
  start: number,
  count = 0,
): Pick<FingerprintTable, 'words' | 'halves' | 'bytes'> {
  const length = count * WORDS;
  return {
    words: new BigUint64Array(memory, start, length),
    halves: new Uint32Array(memory, start, length * 2),
    bytes: Buffer.from(memory, start, length * 8),
  };
}

/** At least half of the slots stay free. */
function slotCount(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2));
}

function fillSlots(slots: Int32Array, halves: Uint32Array): void {
  for (let at = 0; at * WORDS * 2 < halves.length; at++) {
    let slot = hashInode(halves[at * WORDS * 2 + 2]!) & (slots.length - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
    slots[slot] = at + 1;
  }
}

/** @returns the number of the record with exactly this fingerprint, or -1 */
export function lookUp(table: FingerprintTable, list: FingerprintList, row: number): number {
  const { slots } = table;
  const theirs = list.halves;
  const from = row * FINGERPRINT_WORDS * 2;
  let slot = hashInode(theirs[from + 2]!) & (slots.length - 1);
  for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
    const at = slots[slot]! - 1;
    if (isAt(table.halves, at * WORDS * 2, theirs, from)) return at;
  }
  return -1;
}

/** Ten halves for device, inode, size and times; the mode shares its word with other things. */
function isAt(ours: Uint32Array, at: number, theirs: Uint32Array, from: number): boolean {
  for (let i = 0; i < 10; i++) if (ours[at + i] !== theirs[from + i]) return false;
  return (ours[at + 10]! & MODE_MASK) === theirs[from + 10];
}

const MODE_MASK = 0xffff;
/** Beside the mode: is there a digest? */
const HAS_DIGEST = 0x10000;

/** What a record says, read when it is asked for: most of it never is. */
export function knownAt(table: FingerprintTable, at: number): Known {
  return new RecordedKnown(table, at);
}

class RecordedKnown implements Known {
  readonly #table: FingerprintTable;
  readonly #at: number;

  constructor(table: FingerprintTable, at: number) {
    this.#table = table;
    this.#at = at;
  }

  get sha256(): string | undefined {
    const base = this.#at * WORDS;
    if ((this.#table.halves[base * 2 + 10]! & HAS_DIGEST) === 0) return undefined;
    return this.#table.bytes.toString('hex', base * 8 + 48, base * 8 + 80);
  }

  get xattrs(): Map<string, Buffer> | undefined {
    const place = this.#table.halves[this.#at * WORDS * 2 + 11]!;
    return place === 0 ? undefined : decodeXattrs(this.#table.xattrs, place - 1);
  }
}

/** Of SHA-256, which every build has loaded: a CRC takes half of its time, and node:zlib 1.6 ms to load. */
function checksumOf(parts: readonly Buffer[]): number {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest().readUInt32LE(0);
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
    const memory = new ArrayBuffer(stat.size);
    const all = Buffer.from(memory);
    if (fs.readSync(descriptor, all, 0, stat.size, 0) !== stat.size) return undefined;
    const [magic, format, count, xattrBytes, checksum] = new Uint32Array(memory, 0, HEADER_BYTES / 4);
    const slots = slotCount(count!);
    const start = HEADER_BYTES + slots * 4;
    const end = start + count! * WORDS * 8;
    if (magic !== MAGIC || format !== FORMAT || end + xattrBytes! !== stat.size) return undefined;
    if (checksumOf([all.subarray(HEADER_BYTES)]) !== checksum) return undefined;
    return {
      count: count!,
      ...viewsOf(memory, start, count),
      xattrs: all.subarray(end),
      slots: new Int32Array(memory, HEADER_BYTES, slots),
    };
  } catch {
    return undefined;
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Writes the file under a temporary name and renames it.
 *
 * @param learned of which those that last go first
 * @param rows of `table`, copied as they lie there: 200,000 of them as objects would take 100 MB
 */
export function writeTable(
  file: string,
  learned: LearnedFingerprints,
  { table, rows }: { table: FingerprintTable; rows: Int32Array },
): void {
  const lasting = Int32Array.from({ length: learned.length }, (_, row) => row).filter((row) =>
    learned.isLasting(row),
  );
  const count = lasting.length + rows.length;
  const slots = slotCount(count);
  const start = HEADER_BYTES + slots * 4;
  const memory = new ArrayBuffer(start + count * WORDS * 8);
  const views = viewsOf(memory, start, count);
  const xattrs = new XattrList();
  lasting.forEach((row, index) => {
    putLearned(views, index * WORDS, { learned, row, xattrs });
  });
  rows.forEach((row, index) => {
    const base = (lasting.length + index) * WORDS;
    const from = row * WORDS;
    views.words.set(table.words.subarray(from, from + WORDS), base);
    const place = table.halves[from * 2 + 11]!;
    if (place !== 0) views.halves[base * 2 + 11] = xattrs.add(decodeXattrs(table.xattrs, place - 1));
  });
  fillSlots(new Int32Array(memory, HEADER_BYTES, slots), views.halves);
  const tail = xattrs.bytes();
  const body = Buffer.from(memory);
  const checksum = checksumOf([body.subarray(HEADER_BYTES), tail]);
  new Uint32Array(memory, 0, HEADER_BYTES / 4).set([MAGIC, FORMAT, count, tail.length, checksum]);

  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    fs.writeFileSync(temporary, body, { mode: 0o600, flag: 'wx' });
    if (tail.length > 0) fs.appendFileSync(temporary, tail);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function putLearned(
  { words, halves, bytes }: Pick<FingerprintTable, 'words' | 'halves' | 'bytes'>,
  base: number,
  { learned, row, xattrs }: { learned: LearnedFingerprints; row: number; xattrs: XattrList },
): void {
  const from = row * FINGERPRINT_WORDS;
  const known = learned.known[row]!;
  // Device, inode, size and times; the mode shares its word.
  words.set(learned.prints.words.subarray(from, from + 5), base);
  const mode = learned.prints.halves[(from + 5) * 2]!;
  halves[base * 2 + 10] = mode | (known.sha256 === undefined ? 0 : HAS_DIGEST);
  if (known.sha256 !== undefined) bytes.write(known.sha256, base * 8 + 48, 'hex');
  if (known.xattrs !== undefined && known.xattrs.size > 0) halves[base * 2 + 11] = xattrs.add(known.xattrs);
}

/** The attributes of all records, one behind the other. */
class XattrList {
  readonly #parts: Buffer[] = [];
  #length = 0;

  /** @returns what a record says of their place: one more than it is */
  add(xattrs: Map<string, Buffer>): number {
    const place = this.#length + 1;
    const encoded = encodeXattrs(xattrs);
    this.#parts.push(encoded);
    this.#length += encoded.length;
    return place;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Where a record's device and inode are among the table's halves. */
export function inodeAt(at: number): number {
  return at * WORDS * 2;
}
