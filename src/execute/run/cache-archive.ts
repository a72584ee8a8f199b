import { closeSync, openSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { writeLayerBlob } from '../../export/compress-layer.ts';
import { readChunks } from '../../export/layer-source.ts';
import type { LayerEncoding } from '../../export/types.ts';
import { CACHE_MOUNT_TYPE, type LayerCompression } from '../../image/media-types.ts';
import type { Digest } from '../../image/types.ts';
import type { Aborted } from '../../layer/abort.ts';
import { decompress } from '../../layer/compress.ts';
import { hashLayer, PACKER_VERSION } from '../../layer/pack.ts';
import { unpackLayer } from '../../layer/unpack.ts';
import { loadSys } from '../../sys/linux.ts';
import type { PackedCache } from './cache-snapshot.ts';

export interface PackCacheTask {
  directory: string;
  path: string;
  scratch: string;
  limit: number;
  encoding: LayerEncoding;
}

/** Packs a directory as layers are packed: equal content gives the same blob, which a registry then has already. */
export async function packCacheArchive(task: PackCacheTask, aborted: Aborted): Promise<PackedCache> {
  const { directory, path, scratch, limit, encoding } = task;
  const { diffId, tarSize, size } = hashLayer(directory, { aborted });
  if (tarSize > limit) return { none: 'too-large' };
  const layer = { diffId, tarSize, packer: PACKER_VERSION, directory };
  const { digest, size: bytes } = await writeLayerBlob(layer, { path, scratch }, encoding, aborted);
  return { diffId, size, blob: { mediaType: mediaTypeOf(encoding.compression), digest, size: bytes } };
}

function mediaTypeOf(compression: LayerCompression): string {
  return compression === 'none' ? CACHE_MOUNT_TYPE : `${CACHE_MOUNT_TYPE}+${compression}`;
}

export interface UnpackCacheTask {
  /** Empty. */
  directory: string;
  path: string;
  diffId: Digest;
  limit: number;
}

/**
 * Unpacks such a blob and sees that it is on disk.
 *
 * @throws SlipwayError `corrupt` DIGEST_MISMATCH; `invalid` CACHE_MOUNT_INVALID for what no cache mount holds; those of
 * `unpackLayer`
 */
export async function unpackCacheArchive(task: UnpackCacheTask, aborted: Aborted): Promise<void> {
  const { directory, path, diffId, limit } = task;
  const source = decompress(readChunks(path, aborted));
  const unpacked = await unpackLayer(source, directory, { aborted, maxBytes: limit });
  if (unpacked.diffId !== diffId) {
    throw new SlipwayError(
      'corrupt',
      `a cache mount's archive has the digest ${unpacked.diffId}, not ${diffId}`,
      {
        code: 'DIGEST_MISMATCH',
      },
    );
  }
  const odd = unpacked.entries.find(
    ({ type, opaque }) => type === 'whiteout' || type === 'char' || type === 'block' || opaque === true,
  );
  if (odd !== undefined) {
    throw new SlipwayError(
      'invalid',
      'a cache mount holds files, directories and links, not devices or whiteouts',
      {
        code: 'CACHE_MOUNT_INVALID',
      },
    );
  }
  const fd = openSync(directory, 'r');
  try {
    loadSys().syncfs(fd);
  } finally {
    closeSync(fd);
  }
}
