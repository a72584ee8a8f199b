import { buildIndex, type Document } from '../../image/build-manifest.ts';
import { DOCKER, OCI } from '../../image/media-types.ts';
import type { Descriptor, ImageAnnotations, Platform } from '../../image/types.ts';
import type { LayerState } from '../../registry/push/push-image.ts';
import { pushEndpoint } from '../../registry/push-endpoint.ts';
import { putImage } from '../../store/images.ts';
import { type IndexRecord, memberFor, nameIndex } from '../../store/indexes.ts';
import type { LayerRecord } from '../../store/layers.ts';
import { type PushToRequest, pushTo } from './push-to.ts';

/** The image for one platform. */
export interface PushMember {
  platform: Platform;
  config: Buffer;
  layers: readonly LayerRecord[];
  /** The manifest that it came with. */
  original?: Buffer | undefined;
  annotations?: ImageAnnotations | undefined;
}

export interface PushIndexRequest
  extends Omit<PushToRequest, 'config' | 'layers' | 'original' | 'annotations' | 'onLayer'> {
  members: readonly PushMember[];
  /** Of the index. */
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Where the store has it: it remembers under which digest the repository does. */
  stored?: IndexRecord | undefined;
  /** Told of a layer of a member. */
  onLayer?: (member: number, layer: number, state: LayerState) => void;
}

/** Pushes the images of an index, each by its digest, and then the index under its tags. Gives what it is there. */
export async function pushIndex(request: PushIndexRequest): Promise<Descriptor> {
  const { members, annotations, stored, onLayer, tags, ...to } = request;
  const { store, pool, registry, repository, encoding, signal } = to;
  const manifests: Descriptor[] = [];
  for (const [member, { platform, ...image }] of members.entries()) {
    const manifest = await pushTo({
      ...to,
      ...image,
      tags: [],
      ...(onLayer && { onLayer: (layer, state) => onLayer(member, layer, state) }),
    });
    const described = image.annotations?.manifestDescriptor;
    manifests.push({ ...manifest, platform, ...(described && { annotations: described }) });
  }
  const family = encoding?.family ?? 'oci';
  const mediaType = (family === 'docker' ? DOCKER : OCI).index;
  const document: Document = buildIndex(manifests, { family, ...(annotations && { annotations }) });
  const endpoint = await pushEndpoint(pool, registry, repository);
  for (const name of tags.length === 0 ? [document.digest] : tags)
    await endpoint.client.putManifest(endpoint.repository, name, { ...document, mediaType }, { signal });
  if (stored !== undefined && stored.names.length > 0) {
    const name = `${registry}/${repository}@${document.digest}`;
    // The one that has the index's names, too.
    const { image } = memberFor(stored);
    const { config } = members[stored.members.findIndex((member) => member.image === image)]!;
    putImage(store, { config, digests: [name] });
    nameIndex(store, name, stored.id);
  }
  return { mediaType, digest: document.digest, size: document.bytes.length };
}
