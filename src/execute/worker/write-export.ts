import { writeDockerArchive } from '../../export/docker-archive.ts';
import { writeOciArchive, writeOciDirectory } from '../../export/oci-layout.ts';
import { writeRootfsDirectory } from '../../export/rootfs-directory.ts';
import { writeRootfsTar } from '../../export/rootfs-tar.ts';
import type { ExportImage, Output } from '../../export/types.ts';
import { decodeOverrides } from '../../layer/listing.ts';

/** What can be written, in a thread of the worker: a root file system is mounted already. */
export type WriteTask =
  | { format: 'docker-archive'; images: ExportImage[]; output: Output; scratch: string }
  | { format: 'oci-archive'; images: ExportImage[]; output: Output; scratch: string }
  | {
      format: 'oci-directory';
      images: ExportImage[];
      directory: string;
      family: 'oci' | 'docker';
      scratch: string;
    }
  | { format: 'rootfs-tar'; root: string; output: Output; clampMtime?: number; overrides: Uint8Array }
  | { format: 'rootfs-directory'; root: string; directory: string };

/** Writes images or a root file system to where a user wants them; errors as the writers'. */
export async function writeExport(task: WriteTask, aborted: () => boolean): Promise<unknown> {
  switch (task.format) {
    case 'docker-archive':
      return writeDockerArchive(task.images, task.output, aborted);
    case 'oci-archive': {
      const { scratch } = task;
      return writeOciArchive(task.images, task.output, { compression: 'none', scratch, aborted });
    }
    case 'oci-directory': {
      const { scratch, family } = task;
      return writeOciDirectory(task.images, task.directory, {
        compression: 'none',
        scratch,
        family,
        aborted,
      });
    }
    case 'rootfs-tar': {
      const { clampMtime } = task;
      const overrides = decodeOverrides(Buffer.from(task.overrides));
      const clamp = clampMtime === undefined ? {} : { clampMtime };
      return writeRootfsTar(task.root, task.output, { aborted, overrides, ...clamp });
    }
    case 'rootfs-directory':
      return writeRootfsDirectory(task.root, task.directory, { aborted });
  }
}
