import { buildIndex, buildManifest, type Document } from '../image/build-manifest.ts';
import { digestOf } from '../image/digest.ts';
import { goJson } from '../image/go-json.ts';
import { DOCKER, OCI } from '../image/media-types.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { parseManifest } from '../image/parse-manifest.ts';
import { parseReference } from '../image/reference.ts';
import type { Descriptor } from '../image/types.ts';
import type { ExportImage, ExportIndex } from './types.ts';

/** The file `oci-layout`. */
export const OCI_LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** Path of a blob inside an OCI layout. */
export function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/** An image ready to be written into a layout: its documents and the descriptors of its layers' blobs. */
export interface LayoutImage {
  config: Document;
  manifest: Document;
  names: readonly string[];
  layers: readonly Descriptor[];
  /** Of the manifest's descriptor in an index. */
  annotations?: Readonly<Record<string, string>>;
}

/** Makes the manifest of an image whose layer blobs are known. */
export function layoutImage(
  image: Pick<ExportImage, 'config' | 'names' | 'annotations' | 'original'>,
  layers: readonly Descriptor[],
  family: 'oci' | 'docker' = 'oci',
): LayoutImage {
  const bytes = Buffer.from(image.config, 'utf8');
  const config: Document = { bytes, digest: digestOf(bytes) };
  const { manifest: annotations, manifestDescriptor } = image.annotations ?? {};
  const built = buildManifest({ digest: config.digest, size: bytes.length }, layers, {
    family,
    ...(annotations === undefined ? {} : { annotations }),
  });
  const manifest = (image.original && originalManifest(image.original, layers)) || built;
  return {
    config,
    manifest,
    names: image.names,
    layers,
    ...(manifestDescriptor === undefined ? {} : { annotations: manifestDescriptor }),
  };
}

function originalManifest(text: string, layers: readonly Descriptor[]): Document | undefined {
  const bytes = Buffer.from(text, 'utf8');
  const named = parseManifest(bytes).layers;
  const same =
    named.length === layers.length && named.every(({ digest }, index) => digest === layers[index]!.digest);
  return same ? { bytes, digest: digestOf(bytes) } : undefined;
}

/** The descriptor of an image's manifest. Old OCI manifests do not say what they are. */
export function manifestDescriptor({ manifest }: LayoutImage): Descriptor {
  const { mediaType = OCI.manifest } = parseManifest(manifest.bytes);
  return { mediaType, digest: manifest.digest, size: manifest.bytes.length };
}

/** As Docker writes them: the full name for containerd, the tag for the OCI layout. */
function nameAnnotations(name: string): Record<string, string> {
  const { tag } = parseReference(name);
  return {
    'io.containerd.image.name': name,
    ...(tag === undefined ? {} : { 'org.opencontainers.image.ref.name': tag }),
  };
}

/** The entries of a layout that holds these images, alone or in indexes. */
export interface LayoutContent {
  /** Documents of indexes. */
  indexes: Document[];
  /** Descriptors of index.json: indexes, and the images that are in none. */
  entries: Descriptor[];
  /** What each index is, else each image. */
  manifests: Descriptor[];
}

/** Puts images for several platforms together, as the indexes say. `dated`: entries say when the image was made. */
export function layoutContent(
  images: readonly LayoutImage[],
  indexes: readonly ExportIndex[],
  { family = 'oci', dated = false }: { family?: 'oci' | 'docker'; dated?: boolean } = {},
): LayoutContent {
  const content: LayoutContent = { indexes: [], entries: [], manifests: [] };
  const inIndex = new Set<number>();
  for (const index of indexes) {
    const { members, names, annotations, descriptorAnnotations } = index;
    for (const { image } of members) inIndex.add(image);
    const first = images[members[0]!.image]!;
    const document = buildIndex(
      members.map(({ image, platform }) => {
        const { annotations } = images[image]!;
        return { ...manifestDescriptor(images[image]!), platform, ...(annotations && { annotations }) };
      }),
      { family, ...(annotations && { annotations }) },
    );
    const mediaType = (family === 'docker' ? DOCKER : OCI).index;
    const plain = { mediaType, digest: document.digest, size: document.bytes.length };
    content.indexes.push(document);
    content.manifests.push(plain);
    content.entries.push(
      ...named(plain, { names, annotations: descriptorAnnotations, made: dated ? first : undefined }),
    );
  }
  for (const [position, image] of images.entries()) {
    if (inIndex.has(position)) continue;
    const { names, annotations } = image;
    content.manifests.push(manifestDescriptor(image));
    content.entries.push(
      ...named(manifestDescriptor(image), { names, annotations, made: dated ? image : undefined }),
    );
  }
  return content;
}

/** A descriptor for each name, or one without a name. */
function named(
  plain: Descriptor,
  entry: {
    names: readonly string[];
    annotations: Readonly<Record<string, string>> | undefined;
    made: LayoutImage | undefined;
  },
): Descriptor[] {
  const { names, annotations, made } = entry;
  const created = made && parseImageConfig(made.config.bytes).created;
  const date = created === undefined ? {} : { 'org.opencontainers.image.created': created };
  return (names.length === 0 ? [undefined] : names).map((name) => {
    const all = { ...annotations, ...(name === undefined ? {} : nameAnnotations(name)), ...date };
    return Object.keys(all).length === 0 ? plain : { ...plain, annotations: all };
  });
}

/** A descriptor of a layer blob that is not compressed. */
export function plainLayer(layer: { diffId: string; tarSize: number }): Descriptor {
  return { mediaType: OCI.layer, digest: layer.diffId, size: layer.tarSize };
}

/** One line of JSON as Go's encoder ends it. */
export function jsonLine(value: unknown): Buffer {
  return Buffer.from(`${goJson(value)}\n`, 'utf8');
}
