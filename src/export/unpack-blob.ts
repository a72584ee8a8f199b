import { createHash, type Hash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import { OCI } from '../image/media-types.ts';
import type { Digest } from '../image/types.ts';
import { type Compression, decompress, detectCompression, MAGIC_LENGTH } from '../layer/compress.ts';
import { encodeListing, encodeOverrides } from '../layer/listing.ts';
import { PACKER_VERSION } from '../layer/pack.ts';
import type { LayerDigest, LayerEntry } from '../layer/types.ts';
import { unpackLayer } from '../layer/unpack.ts';
import type { UnpackOptions, UnpackResult } from '../layer/unpack-types.ts';
import { deleteTree } from '../store/collect.ts';
import type { OriginBlob, PackRecipe } from '../store/layers.ts';
import {
  type LayerId,
  type LeaseId,
  layerDirectory,
  listingPath,
  overridesPath,
  temporaryPath,
} from '../store/layout.ts';
import { explain, writeFully } from './output.ts';
import type { Aborted } from './types.ts';

/** Where a layer goes: an id that the index handed out to the lease. */
export interface LayerPlace {
  /** Root of the store. */
  root: string;
  lease: LeaseId;
  id: LayerId;
}

/** A layer that stands in its directory. Plain data; the front completes it with `registerLayer`. */
export interface UnpackedLayer extends LayerDigest {
  id: LayerId;
  recipe?: PackRecipe;
  origin: OriginBlob;
  /** The blob, in tmp/, to be adopted. */
  originPath: string;
  /** For people. */
  warnings: string[];
}

/** What is known of the blob beforehand, and so is checked. */
export interface ExpectedBlob {
  diffId?: Digest;
  blob?: { digest: Digest; size: number };
}

export interface UnpackBlobOptions {
  userxattr?: boolean;
  lowerDirectory?: NonNullable<UnpackOptions['lowerDirectory']>;
  lowerReady?: NonNullable<UnpackOptions['lowerReady']>;
  aborted?: Aborted;
}

const MEDIA_TYPES: Partial<Record<Compression, string>> = {
  none: OCI.layer,
  gzip: OCI.layerGzip,
  zstd: OCI.layerZstd,
};

/**
 * Unpacks a layer's blob, compressed in any way, into its directory and keeps the blob: as it came, or uncompressed
 * where its compression has no place in an image. The listing of the layer is written too. On any error nothing of
 * it stays. Nothing is synced.
 *
 * @throws SlipwayError `DIGEST_MISMATCH` when it is not what was expected, and those of `unpackLayer`.
 */
export async function unpackBlob(
  source: AsyncIterable<Buffer>,
  place: LayerPlace,
  expected: ExpectedBlob,
  options: UnpackBlobOptions = {},
): Promise<{ layer: UnpackedLayer; entries: LayerEntry[] }> {
  const { root, id } = place;
  const directory = layerDirectory(root, id);
  const originPath = temporaryPath(root, place.lease, `origin-${id}`);
  try {
    mkdirSync(directory, { mode: 0o755 });
    const blob = openSync(originPath, 'wx', 0o600);
    try {
      const { start, stream } = await peek(source);
      const compression = detectCompression(start);
      const mediaType = MEDIA_TYPES[compression];
      const came = new Passing(compression !== 'none', mediaType === undefined ? undefined : blob);
      const kept = new Passing(false, mediaType === undefined ? blob : undefined);
      const unpacked = await unpackLayer(kept.pass(decompress(came.pass(stream))), directory, options);
      const { diffId, tarSize, entries } = unpacked;
      const tar = { digest: diffId, size: tarSize };
      const arrived = { digest: came.digest() ?? diffId, size: came.size };
      checkExpected(expected, arrived, diffId);
      const layer: UnpackedLayer = {
        ...keepUnpacked(place, unpacked, options),
        origin: mediaType === undefined ? { ...tar, mediaType: OCI.layer } : { ...arrived, mediaType },
        originPath,
      };
      return { layer, entries };
    } finally {
      closeSync(blob);
    }
  } catch (error) {
    removeUnpacked(place);
    throw explain(error);
  }
}

/** Writes down beside a layer's directory what belongs to it, and says how it is packed again. */
function keepUnpacked(
  place: LayerPlace,
  unpacked: UnpackResult,
  { userxattr }: UnpackBlobOptions,
): Omit<UnpackedLayer, 'origin' | 'originPath'> {
  const { root, id } = place;
  const { diffId, tarSize, size, entries, overrides, warnings } = unpacked;
  if (overrides.size > 0) writeFileSync(overridesPath(root, id), encodeOverrides(overrides), { mode: 0o600 });
  writeListing(place, diffId, entries);
  const recipe: PackRecipe = {
    ...(overrides.size > 0 ? { overrides: true } : {}),
    ...(userxattr === true ? { userxattr: true } : {}),
  };
  return {
    id,
    diffId,
    tarSize,
    size,
    packer: PACKER_VERSION,
    ...(Object.keys(recipe).length === 0 ? {} : { recipe }),
    warnings,
  };
}

/**
 * As `unpackBlob`, of a blob that comes to lie at `originPath` while it is read; `source` ends once it is there and is
 * what `blob` says. That file is left alone, also on an error.
 *
 * @throws SlipwayError also `unsupported` LAYER_COMPRESSION
 */
export async function unpackArriving(
  source: AsyncIterable<Buffer>,
  place: LayerPlace,
  arriving: { diffId: Digest; blob: { digest: Digest; size: number }; originPath: string },
  options: UnpackBlobOptions = {},
): Promise<{ layer: UnpackedLayer; entries: LayerEntry[] }> {
  const directory = layerDirectory(place.root, place.id);
  const { diffId, blob, originPath } = arriving;
  try {
    mkdirSync(directory, { mode: 0o755 });
    const { start, stream } = await peek(source);
    const compression = detectCompression(start);
    const mediaType = MEDIA_TYPES[compression];
    if (mediaType === undefined) {
      throw new SlipwayError('unsupported', `layer ${blob.digest} is compressed with ${compression}`, {
        code: 'LAYER_COMPRESSION',
      });
    }
    const unpacked = await unpackLayer(decompress(stream), directory, options);
    if (unpacked.diffId !== diffId) throw mismatch('layer', diffId, unpacked.diffId);
    const kept = keepUnpacked(place, unpacked, options);
    return { layer: { ...kept, origin: { ...blob, mediaType }, originPath }, entries: unpacked.entries };
  } catch (error) {
    removeUnpacked(place);
    throw explain(error);
  }
}

/** Takes away what `unpackBlob` made, when what comes after it fails. */
export function removeUnpacked({ root, lease, id }: LayerPlace): void {
  deleteTree(layerDirectory(root, id));
  rmSync(overridesPath(root, id), { force: true });
  rmSync(temporaryPath(root, lease, `origin-${id}`), { force: true });
}

/** Under its name only when it is whole: others read it without a lock. */
function writeListing({ root, lease, id }: LayerPlace, diffId: Digest, entries: LayerEntry[]): void {
  const temporary = temporaryPath(root, lease, `listing-${id}`);
  try {
    writeFileSync(temporary, encodeListing(entries), { mode: 0o600 });
    renameSync(temporary, listingPath(root, diffId));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** A stream going by: counted, and hashed and written down where that is asked for. */
class Passing {
  size = 0;
  readonly #hash: Hash | undefined;
  readonly #fd: number | undefined;

  constructor(hashed: boolean, fd: number | undefined) {
    this.#hash = hashed ? createHash('sha256') : undefined;
    this.#fd = fd;
  }

  async *pass(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.size += chunk.length;
      this.#hash?.update(chunk);
      if (this.#fd !== undefined) writeFully(this.#fd, chunk);
      yield chunk;
    }
  }

  digest(): Digest | undefined {
    return this.#hash === undefined ? undefined : `sha256:${this.#hash.digest('hex')}`;
  }
}

function checkExpected(
  { blob, diffId }: ExpectedBlob,
  arrived: { digest: Digest; size: number },
  unpacked: Digest,
): void {
  if (blob !== undefined && (blob.digest !== arrived.digest || blob.size !== arrived.size)) {
    throw mismatch('blob', blob.digest, `${arrived.digest} and ${arrived.size} bytes`);
  }
  if (diffId !== undefined && diffId !== unpacked) throw mismatch('layer', diffId, unpacked);
}

/** The first bytes, and the whole stream as if they had not been read. */
async function peek(
  source: AsyncIterable<Buffer>,
): Promise<{ start: Buffer; stream: AsyncIterable<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]();
  let start: Buffer = Buffer.alloc(0);
  while (start.length < MAGIC_LENGTH) {
    const next = await iterator.next();
    if (next.done === true) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    try {
      if (start.length > 0) yield start;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { start, stream: whole() };
}

function mismatch(what: string, expected: Digest, found: string): SlipwayError {
  return new SlipwayError('corrupt', `${what} ${expected} has the digest ${found}`, {
    code: 'DIGEST_MISMATCH',
  });
}
