import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { compressionOf, layerMediaType } from '../image/media-types.ts';
import type { Descriptor } from '../image/types.ts';
import { copyBlob, readChunks, type Sink, writeLayerTar } from './layer-source.ts';
import { writeFully } from './output.ts';
import { parallelGzip } from './parallel-gzip.ts';
import type { Aborted, ExportLayer, LayerEncoding } from './types.ts';

const CHUNK = 1 << 20;
/** Least growth that is told of: whoever follows has more to do for each time than for each byte. */
const TOLD_BYTES = 256 << 10;

/**
 * Of gzip where none is asked for: whoever builds waits for it each time. Level 4, at whose ratio the containers'
 * tools compress, takes a third more time for 2 % (mixed files) to 6 % (programs) fewer bytes, and a push of 500 MB
 * would be the slowest of them but Docker's.
 */
const GZIP_LEVEL = 1;

/**
 * Writes the blob of a layer to `path` in the encoding asked for, and says what it is. A layer that came in a blob
 * keeps it, unless it is compressed otherwise and `force` is set. `scratch` names a file that this call may make and
 * removes again; `grown` hears how many bytes of the blob are there.
 */
export async function writeLayerBlob(
  layer: ExportLayer,
  files: { path: string; scratch: string; grown?: (bytes: number) => void },
  encoding: LayerEncoding,
  aborted?: Aborted,
): Promise<Descriptor> {
  const fd = openSync(files.path, 'wx', 0o600);
  const write = growing(fd, files.grown);
  try {
    if (keepsOrigin(layer, encoding)) {
      const { origin } = layer;
      copyBlob(origin!, write, aborted);
      return { mediaType: origin!.mediaType, digest: origin!.digest, size: origin!.size };
    }
    if (encoding.compression === 'none') {
      await writeLayerTar(layer, write, aborted);
      return { mediaType: layerMediaType('none'), digest: layer.diffId, size: layer.tarSize };
    }
    return await compress(layer, { write, scratch: files.scratch }, encoding, aborted);
  } finally {
    closeSync(fd);
  }
}

function keepsOrigin(layer: ExportLayer, encoding: LayerEncoding): boolean {
  if (layer.origin === undefined) return false;
  const has = compressionOf(layer.origin.mediaType);
  // What is not compressed is compressed when that is asked for; the reverse would only make it larger.
  return has !== undefined && (has === encoding.compression || (has !== 'none' && encoding.force !== true));
}

/** The packer is synchronous and the compressors are not: the tar lies in a scratch file in between. */
async function compress(
  layer: ExportLayer,
  target: { write: Sink; scratch: string },
  encoding: LayerEncoding,
  aborted: Aborted | undefined,
): Promise<Descriptor> {
  const scratch = openSync(target.scratch, 'wx', 0o600);
  try {
    await writeLayerTar(layer, (chunk) => writeFully(scratch, chunk), aborted);
    const hash = createHash('sha256');
    let size = 0;
    const take = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        hash.update(chunk);
        size += chunk.length;
        target.write(chunk);
      }
    };
    const { compression, level } = encoding;
    if (compression === 'gzip') {
      // Used again: else there is a collection of garbage for every 15 MB.
      const free: Buffer[] = [];
      const tar = readChunks(target.scratch, aborted, (length) => free.pop() ?? Buffer.allocUnsafe(length));
      await take(
        parallelGzip(tar, level ?? GZIP_LEVEL, (chunk) => void (chunk.length === CHUNK && free.push(chunk))),
      );
    } else await pipeline(readChunks(target.scratch, aborted), zstdCompressor(level), take);
    const mediaType = layerMediaType(encoding.compression);
    return { mediaType, digest: `sha256:${hash.digest('hex')}`, size };
  } finally {
    closeSync(scratch);
    rmSync(target.scratch, { force: true });
  }
}

function growing(fd: number, grown: ((bytes: number) => void) | undefined): Sink {
  let written = 0;
  let told = 0;
  return (chunk) => {
    writeFully(fd, chunk);
    written += chunk.length;
    if (written - told < TOLD_BYTES) return;
    told = written;
    grown?.(told);
  };
}

function zstdCompressor(level: number | undefined) {
  const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
  return createZstdCompress({ chunkSize: CHUNK, params });
}
