import type { ImageEncoding } from '../../export/types.ts';
import type { Descriptor, ImageAnnotations } from '../../image/types.ts';
import { type LayerState, pushImage } from '../../registry/push/push-image.ts';
import { pushEndpoint } from '../../registry/push-endpoint.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { putImage } from '../../store/images.ts';
import { holdLayers, type LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';
import { pushContent } from './push-content.ts';
import { pushSettings } from './push-settings.ts';

export interface PushToRequest {
  store: Store;
  session: StoreSession;
  pool: RegistryPool;
  env: NodeJS.ProcessEnv;
  /** Domain and path of a reference. */
  registry: string;
  repository: string;
  /** Without any it is pushed by its digest. */
  tags: readonly string[];
  config: Buffer;
  layers: readonly LayerRecord[];
  /** The manifest that the image came with. */
  original?: Buffer | undefined;
  annotations?: ImageAnnotations | undefined;
  encoding?: ImageEncoding | undefined;
  /** The store has the image, and remembers under which digest the repository has it. Default true. */
  remember?: boolean;
  onLayer?: (index: number, state: LayerState) => void;
  signal?: AbortSignal | undefined;
}

/** Pushes an image whose layers are in the store to one repository. Gives what its manifest is there. */
export async function pushTo(request: PushToRequest): Promise<Descriptor> {
  const { store, session, pool, env, registry, repository, tags, config, layers, signal, onLayer } = request;
  const { original, annotations, encoding, remember = true } = request;
  holdLayers(
    store,
    session.lease(),
    layers.map((layer) => layer.id),
  );
  const endpoint = await pushEndpoint(pool, registry, repository);
  const manifest = await pushImage({
    ...pushContent({
      store,
      session,
      config,
      layers,
      manifest: original,
      annotations,
      encoding,
      registry,
      signal,
    }),
    ...pushSettings(env),
    endpoint,
    tags,
    signal,
    ...(onLayer && { onLayer }),
  });
  if (remember) putImage(store, { config, digests: [`${registry}/${repository}@${manifest.digest}`] });
  return manifest;
}
