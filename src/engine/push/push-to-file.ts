import { resolve } from 'node:path';
import type { ExportRequest } from '../../execute/worker/export-operations.ts';
import { imageForExport } from '../../export/image-source.ts';
import type { ExportImage } from '../../export/types.ts';
import { normalizeReference } from '../../image/reference.ts';
import type { Transport } from '../../image/transport.ts';
import type { Descriptor } from '../../image/types.ts';
import type { FoundImage } from '../../store/find-image.ts';
import { imageDocuments, imageLayers } from '../../store/images.ts';
import { holdLayers } from '../../store/layers.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';

/** As skopeo compresses what it writes into layouts. */
const ENCODING = { compression: 'gzip' } as const;

export interface PushToFileRequest {
  store: Store;
  session: StoreSession;
  image: FoundImage;
  to: Exclude<Transport, { kind: 'registry' }>;
  cwd: string;
  signal?: AbortSignal | undefined;
}

/** Writes an image of the store to an OCI layout or an archive, as skopeo does. Gives its manifest there. */
export async function pushToFile(request: PushToFileRequest): Promise<Descriptor | undefined> {
  const { store, session, image, to, cwd, signal } = request;
  const { id } = image.image;
  holdLayers(
    store,
    session.lease(),
    imageLayers(store, id).map((layer) => layer.id),
  );
  const { client } = await session.worker();
  const written = await client.call<{ manifests?: Descriptor[] }>(
    'export',
    exportRequest(store, image, { to, path: resolve(cwd, to.path) }),
    signal ? { signal } : {},
  );
  return written.manifests?.[0];
}

function exportRequest(
  store: Store,
  { image, name }: FoundImage,
  { to, path }: { to: PushToFileRequest['to']; path: string },
): ExportRequest {
  const { reference } = to;
  const output = { kind: 'file' as const, path };
  if (to.kind === 'docker-archive') {
    const names =
      reference === undefined ? (name === undefined ? [] : [name]) : [normalizeReference(reference)];
    return { format: 'docker-archive', images: [imageForExport(store, image.id, names)], output };
  }
  const original = imageDocuments(store, image.id)?.manifest?.toString('utf8');
  const plain = imageForExport(store, image.id, []);
  const refName = reference === undefined ? {} : { 'org.opencontainers.image.ref.name': reference };
  const manifestDescriptor = { ...plain.annotations?.manifestDescriptor, ...refName };
  const named: ExportImage = {
    ...plain,
    ...(original === undefined || plain.annotations?.manifest !== undefined ? {} : { original }),
    annotations: { ...plain.annotations, manifestDescriptor },
  };
  if (to.kind === 'oci')
    return { format: 'oci-directory', images: [named], directory: path, encoding: ENCODING };
  return { format: 'oci-archive', images: [named], output, encoding: ENCODING };
}
