import { resolve } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { ExportRequest } from '../execute/worker/export-operations.ts';
import type { WorkerProcess } from '../execute/worker-process.ts';
import { layerForExport } from '../export/image-source.ts';
import type { ExportImage, Output } from '../export/types.ts';
import { layersForChain } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import type { AssembledImage } from './assemble-image.ts';
import type { BuildOutput } from './options.ts';

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
  /** Says what is being done. */
  note: (what: string) => void;
  worker: WorkerProcess;
  signal: AbortSignal;
}

/** Writes a build's result to every output that was asked for. Errors as the writers of src/export. */
export async function writeOutputs(request: WriteOutputsRequest): Promise<void> {
  const { store, image, tags, worker, signal } = request;
  const found = layersForChain(store, image.diffIds);
  if (!('layers' in found)) {
    throw new SlipwayError('internal', 'layers of the result are gone', { code: 'LAYERS_MISSING' });
  }
  const images: ExportImage[] = [
    {
      config: image.config.bytes.toString('utf8'),
      names: [...tags],
      layers: found.layers.map((layer) => layerForExport(store.root, layer)),
    },
  ];
  const layers = found.layers.map((layer) => layer.id);
  for (const output of request.outputs) {
    request.note(`exporting to ${output.type} ${output.dest}`);
    await worker.client.call('export', exportRequest(output, { images, layers, request }), { signal });
  }
}

function exportRequest(
  spec: BuildOutput,
  source: { images: ExportImage[]; layers: string[]; request: WriteOutputsRequest },
): ExportRequest {
  const { images, layers, request } = source;
  const path = resolve(request.cwd, spec.dest);
  const output: Output = spec.dest === '-' ? STDOUT : { kind: 'file', path };
  switch (spec.type) {
    case 'docker':
      if (spec.tar === false) return { format: 'oci-directory', images, directory: path, family: 'docker' };
      return { format: 'docker-archive', images, output };
    case 'oci':
      if (spec.tar === false) return { format: 'oci-directory', images, directory: path, family: 'oci' };
      return { format: 'oci-archive', images, output };
    case 'tar': {
      const { clampMtime } = request;
      return { format: 'rootfs-tar', layers, output, ...(clampMtime === undefined ? {} : { clampMtime }) };
    }
    case 'local':
      return { format: 'rootfs-directory', layers, directory: path };
  }
}
