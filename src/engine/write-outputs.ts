import { resolve } from 'node:path';
import type { ExportRequest } from '../execute/worker/export-operations.ts';
import { layerForExport } from '../export/image-source.ts';
import type { ExportImage, ExportIndex, ImageEncoding, Output } from '../export/types.ts';
import { annotationsFor, mergeAnnotations } from '../image/annotations.ts';
import type { Descriptor, ImageAnnotations, Platform } from '../image/types.ts';
import type { LayerRecord } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import type { PlatformImage } from './deliver-target.ts';
import type { BuildOutput, FileOutput } from './output-options.ts';
import { resultLayers } from './result-layers.ts';
import type { StoreSession } from './session.ts';

/** File descriptor of standard output in the worker, which has it from this process. */
const STDOUT: Output = { kind: 'fd', fd: 1 };

export interface WriteOutputsRequest {
  store: Store;
  /** For each platform; one where `makesIndex` is false. */
  images: readonly PlatformImage[];
  /** What is written is an index, and files go into folders of their platform unless the output says otherwise. */
  makesIndex: boolean;
  /** Normalised names. */
  tags: readonly string[];
  outputs: readonly BuildOutput[];
  /** What relative destinations are relative to. */
  cwd: string;
  clampMtime: number | undefined;
  annotations: ImageAnnotations | undefined;
  /** Says what is being done. */
  note: (what: string) => void;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/** An image with the records of its layers. */
export interface OutputImage extends PlatformImage {
  layers: readonly LayerRecord[];
}

/**
 * Writes a build's result to every output that was asked for; gives the manifest of the first archive. Errors as the
 * writers of src/export.
 */
export async function writeOutputs(request: WriteOutputsRequest): Promise<Descriptor | undefined> {
  const { store, session, signal } = request;
  const images = request.images.map(
    (one): OutputImage => ({ ...one, layers: resultLayers(store, one.image) }),
  );
  let manifest: Descriptor | undefined;
  for (const output of request.outputs) {
    const annotations = mergeAnnotations(request.annotations, output.annotations);
    if (output.type === 'registry') {
      const { pushResult } = await import('./push/push-result.ts');
      manifest ??= await pushResult({ ...request, output, annotations, images });
      continue;
    }
    request.note(`exporting to ${output.type} ${output.dest}`);
    for (const task of exportRequests(output, { images, annotations, request })) {
      const { client } = await session.worker();
      const written = await client.call<{ manifests?: Descriptor[] } | undefined>('export', task, { signal });
      manifest ??= written?.manifests?.[0];
    }
  }
  return manifest;
}

interface OutputSource {
  images: readonly OutputImage[];
  annotations: ImageAnnotations | undefined;
  request: WriteOutputsRequest;
}

function exportRequests(spec: FileOutput, source: OutputSource): ExportRequest[] {
  const { images, request } = source;
  const path = resolve(request.cwd, spec.dest);
  const output: Output = spec.dest === '-' ? STDOUT : { kind: 'file', path };
  const split = spec.platformSplit ?? request.makesIndex;
  switch (spec.type) {
    case 'docker':
    case 'oci': {
      const encoding = encodingOf(spec);
      const content = exportContent(source);
      if (spec.tar === false) return [{ format: 'oci-directory', ...content, directory: path, encoding }];
      if (spec.type === 'oci') return [{ format: 'oci-archive', ...content, output, encoding }];
      const plain = encoding.compression === 'none' && encoding.family === 'oci';
      return [{ format: 'docker-archive', ...content, output, ...(plain ? {} : { encoding }) }];
    }
    case 'tar': {
      const { clampMtime } = request;
      const trees = images.map(({ platform, layers }) => ({
        layers: directoriesOf(layers),
        ...(split ? { folder: platformFolder(platform) } : {}),
      }));
      return [{ format: 'rootfs-tar', trees, output, ...(clampMtime === undefined ? {} : { clampMtime }) }];
    }
    case 'local': {
      const mirror = spec.mode === 'delete';
      return images.map(({ platform, layers }) => ({
        format: 'rootfs-directory',
        layers: directoriesOf(layers),
        directory: split ? resolve(path, platformFolder(platform)) : path,
        mirror,
      }));
    }
  }
}

function directoriesOf(layers: readonly LayerRecord[]): string[] {
  return layers.flatMap((layer) => layer.stack);
}

/** `linux_arm_v7` */
function platformFolder({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('_');
}

function exportContent({ images, annotations, request }: OutputSource): {
  images: ExportImage[];
  indexes?: ExportIndex[];
} {
  const { store, tags, makesIndex } = request;
  const exported = images.map(({ platform, image, layers }): ExportImage => {
    const own = annotationsFor(annotations, platform);
    return {
      config: image.config.bytes.toString('utf8'),
      names: makesIndex ? [] : [...tags],
      layers: layers.map((layer) => layerForExport(store.root, layer)),
      ...(own && { annotations: own }),
    };
  });
  if (!makesIndex) return { images: exported };
  const { index, indexDescriptor } = annotations ?? {};
  return {
    images: exported,
    indexes: [
      {
        members: images.map(({ platform }, image) => ({ image, platform })),
        names: [...tags],
        ...(index && { annotations: index }),
        ...(indexDescriptor && { descriptorAnnotations: indexDescriptor }),
      },
    ],
  };
}

function encodingOf({ type, tar, compression, compressionLevel, ...spec }: FileOutput): ImageEncoding {
  const usual = type === 'docker' && tar === false && compression !== 'zstd' ? 'docker' : 'oci';
  return {
    compression: compression === undefined || compression === 'uncompressed' ? 'none' : compression,
    family: spec.mediaTypes ?? usual,
    ...(compressionLevel === undefined ? {} : { level: compressionLevel }),
    ...(spec.forceCompression === undefined ? {} : { force: spec.forceCompression }),
  };
}
