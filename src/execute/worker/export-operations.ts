import type { ExportImage, ExportLayer, ImageEncoding, LayerEncoding, Output } from '../../export/types.ts';
import { encodeOverrides } from '../../layer/listing.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { OperationContext } from '../protocol/server.ts';
import { mergedOverrides } from '../step/layer-overrides.ts';
import type { WorkerHost } from './host.ts';
import { runHeavy } from './thread-pool.ts';

/** What the front may ask to be written. */
export type ExportRequest =
  | { format: 'docker-archive'; images: ExportImage[]; output: Output; encoding?: ImageEncoding }
  | { format: 'oci-archive'; images: ExportImage[]; output: Output; encoding: ImageEncoding }
  | { format: 'oci-directory'; images: ExportImage[]; directory: string; encoding: ImageEncoding }
  /** One layer's blob, a file of tmp/; several at once. Gives its descriptor. */
  | { format: 'layer-blob'; layer: ExportLayer; path: string; encoding: LayerEncoding }
  | { format: 'rootfs-tar'; layers: string[]; output: Output; clampMtime?: number }
  | { format: 'rootfs-directory'; layers: string[]; directory: string; mirror: boolean }
  | { format: 'rootfs-file'; layers: string[]; path: BytePath; output: Output };

/** Writes in a thread, since packing is one long loop; errors as the writers'. */
export async function exportImages(
  host: WorkerHost,
  request: ExportRequest,
  { signal }: OperationContext,
): Promise<unknown> {
  if (!('layers' in request)) {
    const scratch =
      request.format === 'layer-blob'
        ? `${request.path}-tar`
        : temporaryPath(host.store, host.lease, 'export');
    return runHeavy('export', { ...request, scratch }, signal);
  }
  const view = host.snapshotter.view(request.layers);
  try {
    const { root } = view;
    if (request.format !== 'rootfs-tar') return await runHeavy('export', { ...request, root }, signal);
    const overrides = encodeOverrides(mergedOverrides(host, request.layers));
    return await runHeavy('export', { ...request, root, overrides }, signal);
  } finally {
    view.close();
  }
}
