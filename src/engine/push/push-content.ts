import { rmSync } from 'node:fs';
import type { ExportRequest } from '../../execute/worker/export-operations.ts';
import type { Written } from '../../execute/worker/write-export.ts';
import { layerForExport } from '../../export/image-source.ts';
import { layoutImage } from '../../export/layout-documents.ts';
import type { ImageEncoding } from '../../export/types.ts';
import type { Document } from '../../image/build-manifest.ts';
import { digestOf } from '../../image/digest.ts';
import { compressionOf, DOCKER, layerMediaType, OCI } from '../../image/media-types.ts';
import { parseManifest } from '../../image/parse-manifest.ts';
import type { Descriptor, ImageAnnotations } from '../../image/types.ts';
import type { MadeBlob, MakeOptions, PushLayer, PushRequest } from '../../registry/push/push-image.ts';
import { knownBlob, rememberBlob, repositoriesWithLayer } from '../../store/layer-blobs.ts';
import type { LayerRecord } from '../../store/layers.ts';
import { blobPath, temporaryPath } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import type { StoreSession } from '../session.ts';

/** What an image is pushed as: its layers and documents, as the registry's side takes them. */
export type PushContent = Pick<PushRequest, 'layers' | 'config' | 'documents'>;

export interface PushContentOptions {
  store: Store;
  /** Asked for a worker only when a layer has to be packed. */
  session: StoreSession;
  /** The configuration, byte for byte. */
  config: Buffer;
  /** Bottom first; held by the session's lease. */
  layers: readonly LayerRecord[];
  /** The manifest that the image came with. It goes back as it is where its blobs are what is here. */
  manifest?: Buffer | undefined;
  annotations?: ImageAnnotations | undefined;
  /** Default: gzip at level 1, OCI's media types. */
  encoding?: ImageEncoding | undefined;
  /** Domain of the registry. */
  registry: string;
  signal?: AbortSignal | undefined;
}

/** Packed layers get this; what came compressed stays as it is. */
const USUAL: ImageEncoding = { compression: 'gzip' };

/** What is to be sent of an image of the store. Nothing is packed yet. */
export function pushContent(options: PushContentOptions): PushContent {
  const { encoding, annotations } = options;
  const original =
    encoding === undefined && annotations?.manifest === undefined ? originalManifest(options) : undefined;
  const { family = 'oci', ...layerEncoding } = encoding ?? USUAL;
  const config: Document = { bytes: options.config, digest: digestOf(options.config) };
  return {
    config,
    layers: options.layers.map((layer) =>
      original === undefined ? pushLayer(layer, layerEncoding, options) : originalLayer(layer, options),
    ),
    documents(descriptors) {
      if (original !== undefined) return { config, manifest: original };
      const image = {
        config: options.config.toString('utf8'),
        names: [],
        ...(annotations && { annotations }),
      };
      const layers = descriptors.map((one) => inFamily(one, family));
      const { manifest } = layoutImage(image, layers, family);
      return { config, manifest: { ...manifest, mediaType: (family === 'docker' ? DOCKER : OCI).manifest } };
    },
  };
}

/** A layer whose blob the manifest that goes back names, compressed or not. */
function originalLayer(
  { id, diffId, origin }: LayerRecord,
  { store, registry }: Pick<PushContentOptions, 'store' | 'registry'>,
): PushLayer {
  const path = blobPath(store.root, origin!.digest);
  const mountFrom = repositoriesWithLayer(store, id, registry);
  return { diffId, known: origin!, mountFrom, make: async () => ({ descriptor: origin!, path }) };
}

/** A layer of the store as a registry takes it. */
export function pushLayer(
  layer: LayerRecord,
  encoding: Omit<ImageEncoding, 'family'>,
  options: Pick<PushContentOptions, 'store' | 'session' | 'registry' | 'signal'>,
): PushLayer {
  const { store, registry } = options;
  const { diffId, origin } = layer;
  if (origin !== undefined && staysAsItIs(origin.mediaType, encoding)) return originalLayer(layer, options);
  const mountFrom = repositoriesWithLayer(store, layer.id, registry);
  const known =
    encoding.compression === 'none'
      ? { mediaType: layerMediaType('none'), digest: diffId, size: layer.tarSize }
      : knownBlob(store, diffId, encoding);
  return {
    diffId,
    ...(known && { known }),
    mountFrom,
    make: async (making) => {
      const made = await makeBlob(layer, encoding, { ...options, ...making });
      rememberBlob(store, diffId, encoding, made.descriptor);
      return made;
    },
  };
}

/** As `writeLayerBlob` decides: another compression only where that is asked for. */
function staysAsItIs(mediaType: string, { compression, force }: Omit<ImageEncoding, 'family'>): boolean {
  const has = compressionOf(mediaType);
  return has !== undefined && (has === compression || (has !== 'none' && force !== true));
}

async function makeBlob(
  layer: LayerRecord,
  encoding: Omit<ImageEncoding, 'family'>,
  { store, session, signal, grown }: Pick<PushContentOptions, 'store' | 'session'> & MakeOptions,
): Promise<MadeBlob> {
  const path = temporaryPath(store.root, session.lease(), `push-${layer.id}`);
  const request: ExportRequest = {
    format: 'layer-blob',
    layer: layerForExport(store.root, layer),
    path,
    encoding,
  };
  const release = (): void => rmSync(path, { force: true });
  try {
    const { client } = await session.worker();
    const descriptor = await client.call<Descriptor>('export', request, {
      ...(signal && { signal }),
      ...(grown && { onEvent: (told) => grown(path, (told as Written).written) }),
    });
    return { descriptor, path, release };
  } catch (error) {
    release();
    throw error;
  }
}

function originalManifest({
  manifest,
  layers,
}: PushContentOptions): (Document & { mediaType: string }) | undefined {
  if (manifest === undefined) return undefined;
  const parsed = parseManifest(manifest);
  const same =
    parsed.layers.length === layers.length &&
    parsed.layers.every(({ digest }, index) => layers[index]!.origin?.digest === digest);
  if (!same) return undefined;
  // Old OCI manifests do not say what they are.
  const mediaType =
    parsed.mediaType ?? (parsed.config.mediaType === DOCKER.config ? DOCKER.manifest : OCI.manifest);
  return { bytes: manifest, digest: digestOf(manifest), mediaType };
}

/** The same blob with the media type of OCI or of Docker. */
export function inFamily(descriptor: Descriptor, family: 'oci' | 'docker'): Descriptor {
  const { mediaType, digest, size } = descriptor;
  const compression = compressionOf(mediaType);
  if (compression === undefined) return { mediaType, digest, size };
  return { mediaType: layerMediaType(compression, family === 'docker' ? DOCKER : OCI), digest, size };
}
