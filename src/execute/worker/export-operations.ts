import type {
  ExportImage,
  ExportIndex,
  ExportLayer,
  ImageEncoding,
  LayerEncoding,
  Output,
} from '../../export/types.ts';
import { encodeOverrides } from '../../layer/listing.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { OperationContext } from '../protocol/server.ts';
import { mergedOverrides } from '../step/layer-overrides.ts';
import type { WorkerHost } from './host.ts';
import { runHeavy } from './thread-pool.ts';

/** What the front may ask to be written. */
export type ExportRequest =
  | ({ format: 'docker-archive'; output: Output; encoding?: ImageEncoding } & ExportImages)
  | ({ format: 'oci-archive'; output: Output; encoding: ImageEncoding } & ExportImages)
  | ({ format: 'oci-directory'; directory: string; encoding: ImageEncoding } & ExportImages)
  /** One layer's blob, a file of tmp/; several at once. Tells how far it is (`Written`), gives its descriptor. */
  | { format: 'layer-blob'; layer: ExportLayer; path: string; encoding: LayerEncoding }
  /** `folder`: where in the archive a tree goes, when there are several. */
  | {
      format: 'rootfs-tar';
      trees: { layers: string[]; folder?: string }[];
      output: Output;
      clampMtime?: number;
    }
  | { format: 'rootfs-directory'; layers: string[]; directory: string; mirror: boolean }
  | { format: 'rootfs-file'; layers: string[]; path: BytePath; output: Output };

/** Images, and how those belong together that are one image for several platforms. */
interface ExportImages {
  images: ExportImage[];
  indexes?: ExportIndex[];
}

/** Writes in a thread, since packing is one long loop; errors as the writers'. */
export async function exportImages(
  host: WorkerHost,
  request: ExportRequest,
  { signal, emit }: OperationContext,
): Promise<unknown> {
  await host.snapshotter.settled?.();
  if (request.format === 'rootfs-tar') return exportTrees(host, request, signal);
  if (!('layers' in request)) {
    const scratch =
      request.format === 'layer-blob'
        ? `${request.path}-tar`
        : temporaryPath(host.store, host.lease, 'export');
    return runHeavy('export', { ...request, scratch }, { signal, onTold: (told) => void emit(told) });
  }
  const view = host.snapshotter.view(request.layers);
  try {
    return await runHeavy('export', { ...request, root: view.root }, { signal });
  } finally {
    view.close();
  }
}

async function exportTrees(
  host: WorkerHost,
  request: Extract<ExportRequest, { format: 'rootfs-tar' }>,
  signal: AbortSignal,
): Promise<unknown> {
  using views = new DisposableStack();
  const trees = request.trees.map(({ layers, ...tree }) => {
    const { root } = views.adopt(host.snapshotter.view(layers), (view) => view.close());
    return { ...tree, root, overrides: encodeOverrides(mergedOverrides(host, layers)) };
  });
  return await runHeavy('export', { ...request, trees }, { signal });
}
