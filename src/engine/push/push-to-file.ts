import { resolve } from 'node:path';
import type { ExportRequest } from '../../execute/worker/export-operations.ts';
import { storeContent } from '../../export/store-content.ts';
import type { ExportImage } from '../../export/types.ts';
import { normalizeReference } from '../../image/reference.ts';
import type { Transport } from '../../image/transport.ts';
import type { Descriptor, Digest } from '../../image/types.ts';
import type { FoundImage } from '../../store/find-image.ts';
import { imageDocuments } from '../../store/images.ts';
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
  const { session, to, cwd, signal } = request;
  const { client } = await session.worker();
  const written = await client.call<{ manifests?: Descriptor[] }>(
    'export',
    exportRequest(request, { to, path: resolve(cwd, to.path) }),
    signal ? { signal } : {},
  );
  return written.manifests?.[0];
}

function exportRequest(
  { store, session, image: found }: PushToFileRequest,
  { to, path }: { to: PushToFileRequest['to']; path: string },
): ExportRequest {
  const { reference } = to;
  const { image, name, index } = found;
  const output = { kind: 'file' as const, path };
  const lease = session.lease();
  if (to.kind === 'docker-archive') {
    const names =
      reference === undefined ? (name === undefined ? [] : [name]) : [normalizeReference(reference)];
    return { format: 'docker-archive', ...storeContent(store, lease, [{ found, names }]), output };
  }
  const refName = reference === undefined ? {} : { 'org.opencontainers.image.ref.name': reference };
  const { images, indexes } = storeContent(store, lease, [{ found, names: [] }]);
  const content = {
    images: index === undefined ? [withOriginal(store, image.id, images[0]!, refName)] : images,
    ...(indexes && {
      indexes: indexes.map((one) => ({
        ...one,
        descriptorAnnotations: { ...one.descriptorAnnotations, ...refName },
      })),
    }),
  };
  if (to.kind === 'oci') return { format: 'oci-directory', ...content, directory: path, encoding: ENCODING };
  return { format: 'oci-archive', ...content, output, encoding: ENCODING };
}

/** An image with the manifest that it came with, under a layout's name. */
function withOriginal(
  store: Store,
  id: Digest,
  plain: ExportImage,
  refName: Record<string, string>,
): ExportImage {
  const original = imageDocuments(store, id)?.manifest?.toString('utf8');
  const manifestDescriptor = { ...plain.annotations?.manifestDescriptor, ...refName };
  return {
    ...plain,
    ...(original === undefined || plain.annotations?.manifest !== undefined ? {} : { original }),
    annotations: { ...plain.annotations, manifestDescriptor },
  };
}
