import { SlipwayError } from '../errors/index.ts';
import { ByteReader, ByteWriter } from './listing-bytes.ts';
import type { EntryType, LayerEntry, Override, Overrides } from './types.ts';

/** Version of the encoding; a reader refuses any other. */
const LISTING_VERSION = 1;

const magic = 'SLWL';
const types: EntryType[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'whiteout'];
const typeNumber = new Map(types.map((type, i) => [type, i]));
const second = 1_000_000_000n;

const OPAQUE = 0x08;
const LINK = 0x10;
const HARD_LINK = 0x20;
const SHA256 = 0x40;
const XATTRS = 0x80;
const DEVICE = 0x100;
/** Mode, uid and gid are those of the entry before: true of most. */
const SAME_OWNER = 0x200;

/**
 * Entries as compact bytes: the same entries in the same order give the same bytes on any machine. Paths share
 * their beginning with the entry before, numbers are variable in length.
 */
export function encodeListing(entries: readonly LayerEntry[]): Buffer {
  const out = new ByteWriter(64 + entries.length * 80);
  out.text(magic);
  out.number(LISTING_VERSION);
  out.number(entries.length);
  let path = '';
  let mode = 0;
  let uid = 0;
  let gid = 0;
  for (const entry of entries) {
    const same = entry.mode === mode && entry.uid === uid && entry.gid === gid;
    out.number(flagsOf(entry) | (same ? SAME_OWNER : 0));
    const shared = sharedLength(path, entry.path);
    out.number(shared);
    out.string(shared === 0 ? entry.path : entry.path.slice(shared));
    path = entry.path;
    if (!same) {
      ({ mode, uid, gid } = entry);
      out.number(mode);
      out.number(uid);
      out.number(gid);
    }
    out.number(entry.size);
    writeTime(out, entry.mtimeNs);
    if (entry.link !== undefined) out.string(entry.link);
    if (entry.hardLink !== undefined) out.string(entry.hardLink);
    if (entry.sha256 !== undefined) out.hex(entry.sha256);
    if (entry.major !== undefined || entry.minor !== undefined) {
      out.number(entry.major ?? 0);
      out.number(entry.minor ?? 0);
    }
    if (entry.xattrs !== undefined && entry.xattrs.size > 0) writeXattrs(out, entry.xattrs);
  }
  return out.done();
}

/** Bytes at the beginning of a listing that `listingLength` needs. */
export const LISTING_START = 32;

/** How many entries a listing has, by its first bytes. Throws as `decodeListing`. */
export function listingLength(start: Buffer): number {
  return readStart(new ByteReader(start));
}

function readStart(input: ByteReader): number {
  if (input.text(magic.length) !== magic) throw corrupt();
  const version = input.number();
  if (version !== LISTING_VERSION) {
    throw new SlipwayError('unsupported', `a layer listing has version ${version}, not ${LISTING_VERSION}`, {
      code: 'LISTING_VERSION',
    });
  }
  return input.number();
}

/**
 * The entries that `encodeListing` was given. Throws `corrupt` (`LISTING_CORRUPT`) for anything else, and
 * `unsupported` (`LISTING_VERSION`) for the encoding of another version.
 */
export function decodeListing(bytes: Buffer): LayerEntry[] {
  const input = new ByteReader(bytes);
  const count = readStart(input);
  // Every entry takes at least five bytes: a damaged count must not make a huge array.
  if (count > bytes.length / 5) throw corrupt();
  const entries: LayerEntry[] = [];
  let path = '';
  let mode = 0;
  let uid = 0;
  let gid = 0;
  for (let i = 0; i < count; i++) {
    const flags = input.number();
    const type = types[flags & 7];
    const shared = input.number();
    if (type === undefined || shared > path.length) throw corrupt();
    path = path.slice(0, shared) + input.string();
    if (!(flags & SAME_OWNER)) {
      mode = input.number();
      uid = input.number();
      gid = input.number();
    }
    const entry: LayerEntry = { path, type, mode, uid, gid, size: input.number(), mtimeNs: readTime(input) };
    if (flags & OPAQUE) entry.opaque = true;
    if (flags & LINK) entry.link = input.string();
    if (flags & HARD_LINK) entry.hardLink = input.string();
    if (flags & SHA256) entry.sha256 = input.hex(32);
    if (flags & DEVICE) {
      entry.major = input.number();
      entry.minor = input.number();
    }
    if (flags & XATTRS) entry.xattrs = readXattrs(input);
    entries.push(entry);
  }
  if (!input.atEnd) throw corrupt();
  return entries;
}

/** Overrides as bytes, in the encoding of listings. */
export function encodeOverrides(overrides: Overrides): Buffer {
  const paths = [...overrides.keys()].sort();
  return encodeListing(paths.map((path) => ({ path, size: 0, ...overrides.get(path)! })));
}

export function decodeOverrides(bytes: Buffer): Overrides {
  return new Map(
    decodeListing(bytes).map(({ path, size: _, ...override }): [string, Override] => [path, override]),
  );
}

function flagsOf(entry: LayerEntry): number {
  let flags = typeNumber.get(entry.type)!;
  if (entry.opaque) flags |= OPAQUE;
  if (entry.link !== undefined) flags |= LINK;
  if (entry.hardLink !== undefined) flags |= HARD_LINK;
  if (entry.sha256 !== undefined) flags |= SHA256;
  if (entry.xattrs !== undefined && entry.xattrs.size > 0) flags |= XATTRS;
  if (entry.major !== undefined || entry.minor !== undefined) flags |= DEVICE;
  return flags;
}

function sharedLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let i = 0;
  while (i < limit && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}

/** Seconds rounded down, as a signed number, and nanoseconds. */
function writeTime(out: ByteWriter, ns: bigint): void {
  let seconds = Number(ns / second);
  let rest = Number(ns % second);
  if (rest < 0) {
    seconds -= 1;
    rest += 1e9;
  }
  out.number(seconds < 0 ? -seconds * 2 - 1 : seconds * 2);
  out.number(rest);
}

function readTime(input: ByteReader): bigint {
  const zigzag = input.number();
  const seconds = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  const rest = input.number();
  return BigInt(seconds) * second + BigInt(rest);
}

function writeXattrs(out: ByteWriter, xattrs: Map<string, Buffer>): void {
  const names = [...xattrs.keys()].sort();
  out.number(names.length);
  for (const name of names) {
    const value = xattrs.get(name)!;
    out.string(name);
    out.bytes(value);
  }
}

function readXattrs(input: ByteReader): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (let left = input.number(); left > 0; left--) {
    const name = input.string();
    xattrs.set(name, input.bytes());
  }
  return xattrs;
}

function corrupt(): SlipwayError {
  return new SlipwayError('corrupt', 'a layer listing is damaged', { code: 'LISTING_CORRUPT' });
}
