import { closeSync } from 'node:fs';
import type { LayerId, LeaseId } from '../store/layout.ts';
import { type Input, openInput, readInput } from './input.ts';
import { syncStore } from './load.ts';
import type { Aborted } from './types.ts';
import { removeUnpacked, type UnpackedLayer, unpackBlob } from './unpack-blob.ts';

export interface ImportRequest {
  /** A tar of a root file system, compressed or not. */
  input: Input;
  /** Root of the store. */
  root: string;
  lease: LeaseId;
  /** The id that the index handed out for the layer. */
  id: LayerId;
  userxattr?: boolean;
}

/**
 * Unpacks the tar of a root file system as one layer, synced to disk. Its `diffId` is the digest of the tar as it
 * came, uncompressed. On any error nothing of it stays. Runs in the worker.
 *
 * @throws SlipwayError `INPUT_NOT_FOUND`, and those of `unpackLayer`.
 */
export async function importRootfs(request: ImportRequest, aborted?: Aborted): Promise<UnpackedLayer> {
  const { input, root, lease, id, userxattr } = request;
  const fd = openInput(input);
  try {
    const options = {
      ...(userxattr === undefined ? {} : { userxattr }),
      ...(aborted === undefined ? {} : { aborted }),
    };
    const { layer } = await unpackBlob(readInput(fd, aborted), { root, lease, id }, {}, options);
    try {
      syncStore(root);
    } catch (error) {
      removeUnpacked({ root, lease, id });
      throw error;
    }
    return layer;
  } finally {
    if (input.kind === 'file') closeSync(fd);
  }
}
