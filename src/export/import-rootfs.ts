import { closeSync, constants, fstatSync, openSync, rmSync } from 'node:fs';
import { packLayer } from '../layer/pack.ts';
import { type LayerId, type LeaseId, temporaryPath } from '../store/layout.ts';
import { type Input, openInput, readInput } from './input.ts';
import { syncStore } from './load.ts';
import { explain, writeFully } from './output.ts';
import type { Aborted } from './types.ts';
import { removeUnpacked, type UnpackedLayer, unpackBlob } from './unpack-blob.ts';

export interface ImportRequest {
  /** A tar of a root file system, compressed or not, or a directory. */
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
 * came, uncompressed; a directory is packed first. On any error nothing of it stays. Runs in the worker.
 *
 * @throws SlipwayError `INPUT_NOT_FOUND`, and those of `unpackLayer`.
 */
export async function importRootfs(request: ImportRequest, aborted?: Aborted): Promise<UnpackedLayer> {
  const { input, root, lease, id, userxattr } = request;
  const fd = openRootfs(request, aborted);
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

/** The tar. That of a directory has no name any more. */
function openRootfs({ input, root, lease }: ImportRequest, aborted: Aborted | undefined): number {
  const fd = openInput(input);
  if (input.kind === 'fd' || !fstatSync(fd).isDirectory()) return fd;
  closeSync(fd);
  const path = temporaryPath(root, lease, 'import');
  const archive = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    rmSync(path);
    packLayer(input.path, (bytes) => writeFully(archive, bytes), aborted === undefined ? {} : { aborted });
    return archive;
  } catch (error) {
    closeSync(archive);
    throw explain(error);
  }
}
