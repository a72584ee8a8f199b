import { buildIndex, buildManifest, type Document } from '../image/build-manifest.ts';
import { digestOf } from '../image/digest.ts';
import { goJson } from '../image/go-json.ts';
import { OCI } from '../image/media-types.ts';
import { parseManifest } from '../image/parse-manifest.ts';
import { parseReference } from '../image/reference.ts';
import type { Descriptor } from '../image/types.ts';
import type { ExportImage } from './types.ts';

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

/** The entries of index.json: one for each name, or one without a name. */
export function indexEntries(images: readonly LayoutImage[]): Descriptor[] {
  return images.flatMap((image) => {
    const { names, annotations } = image;
    const plain = manifestDescriptor(image);
    if (names.length === 0) return [annotations === undefined ? plain : { ...plain, annotations }];
    return names.map((name) => ({ ...plain, annotations: { ...annotations, ...nameAnnotations(name) } }));
  });
}

/** As Docker writes them: the full name for containerd, the tag for the OCI layout. */
function nameAnnotations(name: string): Record<string, string> {
  const { tag } = parseReference(name);
  return {
    'io.containerd.image.name': name,
    ...(tag === undefined ? {} : { 'org.opencontainers.image.ref.name': tag }),
  };
}

/** index.json of a layout that holds these images. */
export function layoutIndex(images: readonly LayoutImage[]): Document {
  return buildIndex(indexEntries(images));
}

/** A descriptor of a layer blob that is not compressed. */
export function plainLayer(layer: { diffId: string; tarSize: number }): Descriptor {
  return { mediaType: OCI.layer, digest: layer.diffId, size: layer.tarSize };
}

/** One line of JSON as Go's encoder ends it. */
export function jsonLine(value: unknown): Buffer {
  return Buffer.from(`${goJson(value)}\n`, 'utf8');
}
