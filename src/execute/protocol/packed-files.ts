import { ByteReader, ByteWriter } from '../../layer/listing-bytes.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { ExecutableStep, SelectedFile, SelectedSource } from '../executor.ts';

/** Fewer than this travel as they are. */
export const WORTH_PACKING = 256;

const TYPES: SelectedFile['type'][] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];
const NEW_MODE = 0x08;
const OWNER = 0x10;
const DEVICE = 0x20;
const SHA256 = 0x40;
const LINK = 0x80;
const HARD_LINK = 0x100;
const XATTRS = 0x200;
const TIME = 0x400;

const NOTHING = new Uint8Array(0);

/**
 * The files of a source as compact bytes: a third of what JSON takes, and passed from process to thread without
 * becoming objects on the way.
 */
export interface PackedFiles {
  count: number;
  /** Of their content, together. */
  bytes: number;
  data: Uint8Array;
  /** Of `data`, which travels elsewhere. */
  length: number;
}

/** Packs files as they come. */
export function packFiles(files: Iterable<SelectedFile>): PackedFiles {
  const out = new ByteWriter(WORTH_PACKING * 80);
  let count = 0;
  let before = '';
  let bytes = 0;
  for (const file of files) {
    count++;
    const { uid = 0, gid = 0, major, minor, newMode, sha256, link, hardLink, xattrs, mtimeNs } = file;
    let flags = TYPES.indexOf(file.type);
    if (newMode !== undefined) flags |= NEW_MODE;
    if (uid !== 0 || gid !== 0) flags |= OWNER;
    if (major !== undefined || minor !== undefined) flags |= DEVICE;
    if (sha256 !== undefined) flags |= SHA256;
    if (link !== undefined) flags |= LINK;
    if (hardLink !== undefined) flags |= HARD_LINK;
    if (xattrs !== undefined) flags |= XATTRS;
    if (mtimeNs !== undefined) flags |= TIME;
    out.number(flags);
    const shared = sharedLength(before, file.path);
    out.number(shared);
    out.string(file.path.slice(shared));
    before = file.path;
    bytes += file.size;
    out.number(file.mode);
    out.number(file.size);
    if (newMode !== undefined) out.number(newMode);
    if (flags & OWNER) {
      out.number(uid);
      out.number(gid);
    }
    if (flags & DEVICE) {
      out.number(major ?? 0);
      out.number(minor ?? 0);
    }
    if (sha256 !== undefined) out.hex(sha256);
    if (link !== undefined) out.string(link);
    if (hardLink !== undefined) out.string(hardLink);
    if (xattrs !== undefined) out.string(Buffer.from(JSON.stringify(xattrs)).toString('latin1'));
    if (mtimeNs !== undefined) out.string(mtimeNs);
  }
  const data = out.done();
  return { count, bytes, data, length: data.length };
}

/** Asked for each file, in their order, whether it is wanted: others are passed over, which is quicker. */
export type Wants = (path: BytePath, type: SelectedFile['type'], isHardLink: boolean) => boolean;

/** What `packFiles` was given, one after the other. Throws `corrupt` LISTING_CORRUPT for anything shorter. */
function* unpackFiles({ count, data }: PackedFiles, wants: Wants | undefined): Generator<SelectedFile> {
  const input = new ByteReader(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  let path: BytePath = '';
  for (let left = count; left > 0; left--) {
    const flags = input.number();
    path = path.slice(0, input.number()) + input.string();
    const type = TYPES[flags & 7]!;
    if (wants?.(path, type, (flags & HARD_LINK) !== 0) === false) {
      passOver(input, flags);
      continue;
    }
    const file: SelectedFile = { path, type, mode: input.number(), size: input.number() };
    if (flags & NEW_MODE) file.newMode = input.number();
    if (flags & OWNER) {
      file.uid = input.number();
      file.gid = input.number();
    }
    if (flags & DEVICE) {
      file.major = input.number();
      file.minor = input.number();
    }
    if (flags & SHA256) file.sha256 = input.hex(32);
    if (flags & LINK) file.link = input.string();
    if (flags & HARD_LINK) file.hardLink = input.string();
    if (flags & XATTRS)
      file.xattrs = JSON.parse(Buffer.from(input.string(), 'latin1').toString()) as [string, string][];
    if (flags & TIME) file.mtimeNs = input.string();
    yield file;
  }
}

/** Of a file what comes behind its path. */
function passOver(input: ByteReader, flags: number): void {
  let numbers = 2;
  if (flags & NEW_MODE) numbers++;
  if (flags & OWNER) numbers += 2;
  if (flags & DEVICE) numbers += 2;
  for (; numbers > 0; numbers--) input.number();
  if (flags & SHA256) input.skip(32);
  for (const text of [LINK, HARD_LINK, XATTRS, TIME]) if (flags & text) input.skip(input.number());
}

/** The files of a source, wherever they are, without all of them being objects at once. */
export function filesOf({ files, packed }: SelectedSource, wants?: Wants): Iterable<SelectedFile> {
  if (packed !== undefined) return unpackFiles(packed, wants);
  return wants === undefined ? files : wanted(files, wants);
}

function* wanted(files: readonly SelectedFile[], wants: Wants): Generator<SelectedFile> {
  for (const file of files) if (wants(file.path, file.type, file.hardLink !== undefined)) yield file;
}

/** The files of sources as objects. */
export function unpackSources(sources: readonly SelectedSource[]): SelectedSource[] {
  return sources.map(({ packed, ...source }) =>
    packed === undefined ? source : { ...source, files: [...unpackFiles(packed, undefined)] },
  );
}

/** How many files sources have, and how many bytes. */
export function amountOf(sources: readonly SelectedSource[]): { count: number; bytes: number } {
  let [count, bytes] = [0, 0];
  for (const { files, packed } of sources) {
    count += packed?.count ?? files.length;
    bytes += packed?.bytes ?? files.reduce((sum, { size }) => sum + size, 0);
  }
  return { count, bytes };
}

/** A step with the files of a large COPY taken out, to travel as bytes behind it. */
export function packStep(step: ExecutableStep): { step: ExecutableStep; payload?: Buffer } {
  if (step.kind !== 'copy' || step.source.kind === 'none') return { step };
  const { source } = step;
  const travels = ({ packed }: SelectedSource): boolean => packed !== undefined;
  if (!source.sources.some(travels) && amountOf(source.sources).count < WORTH_PACKING) return { step };
  const parts: Uint8Array[] = [];
  const sources = source.sources.map((each): SelectedSource => {
    const packed = each.packed ?? packFiles(each.files);
    parts.push(packed.data);
    return { ...each, files: [], packed: { ...packed, data: NOTHING } };
  });
  return { step: { ...step, source: { ...source, sources } }, payload: Buffer.concat(parts) };
}

/** Gives a step that has travelled its bytes back. */
export function attachPayload(step: ExecutableStep, payload: Buffer): void {
  if (step.kind !== 'copy' || step.source.kind === 'none') return;
  let at = 0;
  for (const { packed } of step.source.sources) {
    if (packed === undefined) continue;
    packed.data = payload.subarray(at, at + packed.length);
    at += packed.length;
  }
}

function sharedLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let at = 0;
  while (at < limit && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
}
