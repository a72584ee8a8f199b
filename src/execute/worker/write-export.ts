import { writeLayerBlob } from '../../export/compress-layer.ts';
import { writeDockerArchive } from '../../export/docker-archive.ts';
import type { Exporter } from '../../export/exporter.ts';
import { writeOciArchive, writeOciDirectory } from '../../export/oci-layout.ts';
import { writeRootfsDirectory } from '../../export/rootfs-directory.ts';
import { writeRootfsFile } from '../../export/rootfs-file.ts';
import { writeRootfsTar } from '../../export/rootfs-tar.ts';
import type {
  Aborted,
  ExportImage,
  ExportLayer,
  ImageEncoding,
  LayerEncoding,
  Output,
} from '../../export/types.ts';
import { decodeOverrides } from '../../layer/listing.ts';
import type { BytePath } from '../../sys/bytes.ts';

/** What can be written: a root file system is mounted already. */
interface WriteTasks {
  'docker-archive': { images: ExportImage[]; output: Output; encoding?: ImageEncoding; scratch: string };
  'oci-archive': { images: ExportImage[]; output: Output; encoding: ImageEncoding; scratch: string };
  'oci-directory': { images: ExportImage[]; directory: string; encoding: ImageEncoding; scratch: string };
  'layer-blob': { layer: ExportLayer; path: string; encoding: LayerEncoding; scratch: string };
  'rootfs-tar': { root: string; output: Output; clampMtime?: number; overrides: Uint8Array };
  'rootfs-directory': { root: string; directory: string; mirror: boolean };
  'rootfs-file': { root: string; path: BytePath; output: Output };
}

type Format = keyof WriteTasks;

export type WriteTask = { [F in Format]: { format: F } & WriteTasks[F] }[Format];

const exporters: { [F in Format]: Exporter<WriteTasks[F]> } = {
  'docker-archive': ({ images, output, encoding, scratch }, aborted) =>
    writeDockerArchive(images, output, encoding ? { ...encoding, scratch, aborted } : { aborted }),

  'oci-archive': ({ images, output, encoding, scratch }, aborted) =>
    writeOciArchive(images, output, { ...encoding, scratch, aborted }),

  'oci-directory': ({ images, directory, encoding, scratch }, aborted) =>
    writeOciDirectory(images, directory, { ...encoding, scratch, aborted }),

  'layer-blob': ({ layer, path, encoding, scratch }, aborted) =>
    writeLayerBlob(layer, { path, scratch }, encoding, aborted),

  'rootfs-tar': ({ root, output, clampMtime, overrides }, aborted) =>
    writeRootfsTar(root, output, {
      aborted,
      overrides: decodeOverrides(Buffer.from(overrides)),
      ...(clampMtime === undefined ? {} : { clampMtime }),
    }),

  'rootfs-directory': ({ root, directory, mirror }, aborted) =>
    writeRootfsDirectory(root, directory, { mirror, aborted }),

  'rootfs-file': ({ root, path, output }, aborted) => writeRootfsFile(root, path, output, aborted),
};

/** Writes images or a root file system to where a user wants them; errors as the exporters'. */
export async function writeExport(task: WriteTask, aborted: Aborted): Promise<unknown> {
  const exporter = exporters[task.format] as Exporter<WriteTask>;
  return exporter(task, aborted);
}
