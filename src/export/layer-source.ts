import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { decompress } from '../layer/compress.ts';
import { decodeOverrides } from '../layer/listing.ts';
import { packLayer } from '../layer/pack.ts';
import type { Aborted, ExportLayer } from './types.ts';

/** Receives a stream in order. The chunk is used again after the call returns. */
export type Sink = (chunk: Buffer) => void;

const CHUNK = 1 << 20;

/**
 * Gives a layer's uncompressed tar to `sink`: packed from its directory, or from the blob it came in.
 *
 * @throws SlipwayError `LAYER_CORRUPT` when it is not what `diffId` and `tarSize` say, at the latest at the end;
 *   `sink` never gets more than `tarSize` bytes.
 */
export async function writeLayerTar(layer: ExportLayer, sink: Sink, aborted?: Aborted): Promise<void> {
  const limited = limit(layer, sink);
  if (layer.origin === undefined) packDirectory(layer, limited, aborted);
  else await expandOrigin(layer, layer.origin.path, limited, aborted);
}

function packDirectory(layer: ExportLayer, sink: Sink, aborted: Aborted | undefined): void {
  const { recipe = {}, overridesPath, below } = layer;
  const { clampMtime, root, userxattr } = recipe;
  const { diffId, tarSize } = packLayer(layer.directory, sink, {
    packer: layer.packer,
    digests: 'none',
    ...(below === undefined ? {} : { below }),
    ...(clampMtime === undefined ? {} : { clampMtime }),
    ...(root === undefined ? {} : { root }),
    ...(userxattr === undefined ? {} : { userxattr }),
    ...(overridesPath === undefined ? {} : { overrides: decodeOverrides(readFileSync(overridesPath)) }),
    ...(aborted === undefined ? {} : { aborted }),
  });
  verify(layer, diffId, tarSize);
}

async function expandOrigin(
  layer: ExportLayer,
  path: string,
  sink: Sink,
  aborted: Aborted | undefined,
): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of decompress(readChunks(path, aborted))) {
    hash.update(chunk);
    size += chunk.length;
    sink(chunk);
  }
  verify(layer, `sha256:${hash.digest('hex')}`, size);
}

function verify(layer: ExportLayer, diffId: Digest, tarSize: number): void {
  if (diffId === layer.diffId && tarSize === layer.tarSize) return;
  throw corrupt(layer, `it now has the digest ${diffId} and ${tarSize} bytes, recorded are ${layer.tarSize}`);
}

function limit(layer: ExportLayer, sink: Sink): Sink {
  let left = layer.tarSize;
  return (chunk) => {
    left -= chunk.length;
    if (left < 0) throw corrupt(layer, `it is longer than the recorded ${layer.tarSize} bytes`);
    sink(chunk);
  };
}

/** Copies a blob to `sink` as it is and checks it. Errors as `writeLayerTar`. */
export function copyBlob(
  blob: { path: string; digest: Digest; size: number },
  sink: Sink,
  aborted?: Aborted,
): void {
  const hash = createHash('sha256');
  let size = 0;
  for (const chunk of readChunksSync(blob.path, aborted)) {
    size += chunk.length;
    if (size > blob.size) break;
    hash.update(chunk);
    sink(chunk);
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== blob.digest || size !== blob.size) {
    throw new SlipwayError(
      'corrupt',
      `blob ${blob.digest} of the store is damaged: it has the digest ${digest}`,
      {
        code: 'LAYER_CORRUPT',
        hint: 'Run slipway system check, then make the image again.',
      },
    );
  }
}

/** The content of a file in chunks of 1 MiB, each a buffer of its own unless `take` gives it one. */
export async function* readChunks(
  path: string,
  aborted?: Aborted,
  take?: (size: number) => Buffer,
): AsyncGenerator<Buffer> {
  yield* readChunksSync(path, aborted, take);
}

function* readChunksSync(
  path: string,
  aborted?: Aborted,
  take: (size: number) => Buffer = Buffer.allocUnsafe,
): Generator<Buffer> {
  const fd = openSync(path, 'r');
  try {
    for (;;) {
      if (aborted?.() === true) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
      const buffer = take(CHUNK);
      const count = readSync(fd, buffer, 0, CHUNK, null);
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(fd);
  }
}

function corrupt(layer: ExportLayer, why: string): SlipwayError {
  return new SlipwayError('corrupt', `layer ${layer.diffId} of the store is damaged: ${why}`, {
    code: 'LAYER_CORRUPT',
    hint: 'Run slipway system check, then make the image again.',
  });
}
