import { rmSync } from 'node:fs';
import { buildIndex, type Document } from '../image/build-manifest.ts';
import { sortedRecord } from '../image/go-json.ts';
import { localPlatform, samePlatform } from '../image/platform.ts';
import { familiarName, familiarReference, parseReference } from '../image/reference.ts';
import type { Descriptor } from '../image/types.ts';
import { encodeImages } from './encode-images.ts';
import { copyBlob, writeLayerTar } from './layer-source.ts';
import {
  blobName,
  jsonLine,
  type LayoutImage,
  layoutContent,
  layoutImage,
  OCI_LAYOUT,
  plainLayer,
} from './layout-documents.ts';
import type { LayoutOptions } from './oci-layout.ts';
import { OuterTar } from './outer-tar.ts';
import { withOutput } from './output.ts';
import type { ExportImage, ExportIndex, ExportLayer, Output } from './types.ts';

export interface ArchiveResult {
  /** Bytes of the archive. */
  size: number;
}

/** Without an encoding layers are written as they are, straight into the archive. */
export type DockerArchiveOptions = LayoutOptions | Pick<LayoutOptions, 'aborted' | 'indexes'>;

/**
 * Writes what `docker save` writes: one tar that is an OCI layout and has manifest.json and repositories for older
 * readers. The same images give the same bytes. Runs in the worker.
 *
 * @throws SlipwayError `LAYER_CORRUPT`, and those of `openOutput`; nothing is left at the output's name then.
 */
export async function writeDockerArchive(
  images: readonly ExportImage[],
  output: Output,
  options: DockerArchiveOptions = {},
): Promise<ArchiveResult & { manifests: Descriptor[] }> {
  const { aborted, indexes = [] } = options;
  // Members are named by their place.
  const merged = indexes.length > 0 ? images : mergeSame(images);
  const files = new Map<string, { path: string; size: number }>();
  try {
    const documents =
      'scratch' in options
        ? await encodeImages(merged, options, (path, { digest, size }) => {
            if (files.has(digest)) rmSync(path);
            else files.set(digest, { path, size });
          })
        : merged.map((image) => layoutImage(image, image.layers.map(plainLayer)));
    const layout = layoutContent(documents, indexes);
    return await withOutput(output, async (out) => {
      let size = 0;
      const tar = new OuterTar((bytes) => {
        size += bytes.length;
        out.write(bytes);
      });
      tar.directory('blobs');
      tar.directory('blobs/sha256');
      for (const blob of sortedBlobs(merged, documents, layout.indexes)) {
        const file = files.get(blob.digest);
        if ('bytes' in blob) tar.file(blobName(blob.digest), blob.bytes);
        else {
          tar.begin(blobName(blob.digest), file?.size ?? blob.layer.tarSize);
          const write = (chunk: Buffer): void => tar.content(chunk);
          if (file !== undefined) copyBlob({ ...file, digest: blob.digest }, write, aborted);
          else await writeLayerTar(blob.layer, write, aborted);
          tar.end();
        }
      }
      const shown = forOldReaders(documents, indexes);
      tar.file('index.json', buildIndex(layout.entries).bytes);
      tar.file('manifest.json', dockerManifest(shown));
      tar.file('oci-layout', OCI_LAYOUT);
      const repositories = dockerRepositories(shown);
      if (repositories !== undefined) tar.file('repositories', repositories);
      tar.finish();
      return { size, manifests: layout.manifests };
    });
  } finally {
    for (const { path } of files.values()) rmSync(path, { force: true });
  }
}

/** An image that is asked for twice, by two names, is written once. */
function mergeSame(images: readonly ExportImage[]): ExportImage[] {
  const byConfig = new Map<string, ExportImage>();
  for (const image of images) {
    const before = byConfig.get(image.config);
    if (before === undefined) byConfig.set(image.config, { ...image, names: [...new Set(image.names)] });
    else before.names = [...new Set([...before.names, ...image.names])];
  }
  return [...byConfig.values()];
}

type Blob = { digest: string; bytes: Buffer } | { digest: string; layer: ExportLayer };

function sortedBlobs(
  images: readonly ExportImage[],
  documents: readonly LayoutImage[],
  indexes: readonly Document[],
): Blob[] {
  const blobs = new Map<string, Blob>(indexes.map((index) => [index.digest, index]));
  for (const { config, manifest } of documents) {
    blobs.set(config.digest, config);
    blobs.set(manifest.digest, manifest);
  }
  for (const [index, image] of images.entries()) {
    for (const [position, layer] of image.layers.entries()) {
      const { digest } = documents[index]!.layers[position]!;
      blobs.set(digest, { digest, layer });
    }
  }
  return [...blobs.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** manifest.json knows no platforms: of an index it has the image for this machine, else the first, with the names. */
function forOldReaders(images: readonly LayoutImage[], indexes: readonly ExportIndex[]): LayoutImage[] {
  const chosen = indexes.map(({ members, names }) => {
    const { image } = members.find(({ platform }) => samePlatform(platform, localPlatform())) ?? members[0]!;
    return { ...images[image]!, names };
  });
  const inIndex = new Set(indexes.flatMap(({ members }) => members.map(({ image }) => image)));
  return [...chosen, ...images.filter((_, position) => !inIndex.has(position))];
}

function dockerManifest(images: readonly LayoutImage[]): Buffer {
  return jsonLine(
    images.map(({ config, names, layers }) => ({
      Config: blobName(config.digest),
      RepoTags: names.length === 0 ? null : names.map((name) => familiarReference(parseReference(name))),
      Layers: layers.map((layer) => blobName(layer.digest)),
      LayerSources: sortedRecord(Object.fromEntries(layers.map((layer) => [layer.digest, layer]))),
    })),
  );
}

/** Repository and tag to the top layer, for readers of the first format. Undefined when there are no names. */
function dockerRepositories(images: readonly LayoutImage[]): Buffer | undefined {
  const repositories: Record<string, Record<string, string>> = Object.create(null);
  for (const { names, layers } of images) {
    const top = layers.at(-1)?.digest.slice('sha256:'.length);
    for (const name of top === undefined ? [] : names) {
      const reference = parseReference(name);
      repositories[familiarName(reference)] ??= {};
      repositories[familiarName(reference)]![reference.tag ?? 'latest'] = top!;
    }
  }
  if (Object.keys(repositories).length === 0) return undefined;
  const sorted = Object.entries(repositories).map(([name, tags]) => [name, sortedRecord(tags)] as const);
  return jsonLine(sortedRecord(Object.fromEntries(sorted)));
}
