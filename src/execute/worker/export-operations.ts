import { writeDockerArchive } from '../../export/docker-archive.ts';
import { writeOciArchive, writeOciDirectory } from '../../export/oci-layout.ts';
import { writeRootfsDirectory } from '../../export/rootfs-directory.ts';
import { writeRootfsTar } from '../../export/rootfs-tar.ts';
import type { ExportImage, Output } from '../../export/types.ts';
import { temporaryPath } from '../../store/layout.ts';
import type { OperationContext } from '../protocol/server.ts';
import type { WorkerHost } from './host.ts';

/** What the front may ask to be written. */
export type ExportRequest =
  | { format: 'docker-archive'; images: ExportImage[]; output: Output }
  | { format: 'oci-archive'; images: ExportImage[]; output: Output }
  | { format: 'oci-directory'; images: ExportImage[]; directory: string; family: 'oci' | 'docker' }
  | { format: 'rootfs-tar'; layers: string[]; output: Output; clampMtime?: number }
  | { format: 'rootfs-directory'; layers: string[]; directory: string };

/** Writes images or root file systems of the store to where a user wants them; errors as the writers'. */
export async function exportImages(
  host: WorkerHost,
  request: ExportRequest,
  context: OperationContext,
): Promise<unknown> {
  const aborted = (): boolean => context.signal.aborted;
  const scratch = temporaryPath(host.store, host.lease, 'export');
  const oci = { compression: 'none', scratch, aborted } as const;
  switch (request.format) {
    case 'docker-archive':
      return writeDockerArchive(request.images, request.output, aborted);
    case 'oci-archive':
      return writeOciArchive(request.images, request.output, oci);
    case 'oci-directory':
      return writeOciDirectory(request.images, request.directory, { ...oci, family: request.family });
    default: {
      const view = host.snapshotter.view(request.layers);
      try {
        if (request.format === 'rootfs-directory') {
          return writeRootfsDirectory(view.root, request.directory, { aborted });
        }
        const { clampMtime } = request;
        return await writeRootfsTar(view.root, request.output, {
          aborted,
          ...(clampMtime === undefined ? {} : { clampMtime }),
        });
      } finally {
        view.close();
      }
    }
  }
}
