import { resolve } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { ExportRequest } from '../execute/worker/export-operations.ts';
import { layerForExport } from '../export/image-source.ts';
import type { ExportImage, ImageEncoding, Output } from '../export/types.ts';
import type { Descriptor, ImageAnnotations, Platform } from '../image/types.ts';
import { layersForChain } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import type { AssembledImage } from './assemble-image.ts';
import type { BuildOutput, FileOutput } from './output-options.ts';
import type { StoreSession } from './session.ts';

/** File descriptor of standard output in the worker, which has it from this process. */
const STDOUT: Output = { kind: 'fd', fd: 1 };

export interface WriteOutputsRequest {
  store: Store;
  image: AssembledImage;
  /** Normalised names. */
  tags: readonly string[];
  outputs: readonly BuildOutput[];
  /** What relative destinations are relative to. */
  cwd: string;
  clampMtime: number | undefined;
  platform: Platform;
  /** Files go into a folder of their platform unless the output says otherwise. */
  multiPlatform: boolean;
  annotations: ImageAnnotations | undefined;
  /** Says what is being done. */
  note: (what: string) => void;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

/**
 * Writes a build's result to every output that was asked for; gives the manifest of the first archive. Errors as the
 * writers of src/export.
 */
export async function writeOutputs(request: WriteOutputsRequest): Promise<Descriptor | undefined> {
  const { store, image, tags, session, signal } = request;
  const found = layersForChain(store, image.diffIds);
  if (!('layers' in found)) {
    throw new SlipwayError('internal', 'layers of the result are gone', { code: 'LAYERS_MISSING' });
  }
  const common: Omit<ExportImage, 'annotations'> = {
    config: image.config.bytes.toString('utf8'),
    names: [...tags],
    layers: found.layers.map((layer) => layerForExport(store.root, layer)),
  };
  const layers = found.layers.flatMap((layer) => layer.stack);
  let manifest: Descriptor | undefined;
  for (const output of request.outputs) {
    if (output.type === 'registry') {
      const { pushResult } = await import('./push/push-result.ts');
      const annotations = mergeAnnotations(request.annotations, output.annotations);
      manifest ??= await pushResult({ ...request, output, annotations, layers: found.layers });
      continue;
    }
    request.note(`exporting to ${output.type} ${output.dest}`);
    const annotations = mergeAnnotations(request.annotations, output.annotations);
    const images = [annotations === undefined ? common : { ...common, annotations }];
    const { client } = await session.worker();
    const written = await client.call<{ manifests?: Descriptor[] } | undefined>(
      'export',
      exportRequest(output, { images, layers, request }),
      { signal },
    );
    manifest ??= written?.manifests?.[0];
  }
  return manifest;
}

function mergeAnnotations(
  build: ImageAnnotations | undefined,
  output: ImageAnnotations | undefined,
): ImageAnnotations | undefined {
  if (build === undefined || output === undefined) return build ?? output;
  return {
    manifest: { ...build.manifest, ...output.manifest },
    manifestDescriptor: { ...build.manifestDescriptor, ...output.manifestDescriptor },
  };
}

function exportRequest(
  spec: FileOutput,
  source: { images: ExportImage[]; layers: string[]; request: WriteOutputsRequest },
): ExportRequest {
  const { images, layers, request } = source;
  const path = resolve(request.cwd, spec.dest);
  const output: Output = spec.dest === '-' ? STDOUT : { kind: 'file', path };
  switch (spec.type) {
    case 'docker':
    case 'oci': {
      const encoding = encodingOf(spec);
      if (spec.tar === false) return { format: 'oci-directory', images, directory: path, encoding };
      if (spec.type === 'oci') return { format: 'oci-archive', images, output, encoding };
      const plain = encoding.compression === 'none' && encoding.family === 'oci';
      return { format: 'docker-archive', images, output, ...(plain ? {} : { encoding }) };
    }
    case 'tar': {
      const { clampMtime } = request;
      return { format: 'rootfs-tar', layers, output, ...(clampMtime === undefined ? {} : { clampMtime }) };
    }
    case 'local': {
      const { os, architecture, variant } = request.platform;
      const split = spec.platformSplit ?? request.multiPlatform;
      const folder = split ? [os, architecture, variant].filter(Boolean).join('_') : '.';
      const mirror = spec.mode === 'delete';
      return { format: 'rootfs-directory', layers, directory: resolve(path, folder), mirror };
    }
  }
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
