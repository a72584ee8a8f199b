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
  ExportIndex,
  ExportLayer,
  ImageEncoding,
  LayerEncoding,
  Output,
} from '../../export/types.ts';
import { decodeOverrides } from '../../layer/listing.ts';
import type { BytePath } from '../../sys/bytes.ts';

interface ImagesTask {
  images: ExportImage[];
  indexes?: ExportIndex[];
  scratch: string;
}

/** What can be written: a root file system is mounted already. */
interface WriteTasks {
  'docker-archive': ImagesTask & { output: Output; encoding?: ImageEncoding };
  'oci-archive': ImagesTask & { output: Output; encoding: ImageEncoding };
  'oci-directory': ImagesTask & { directory: string; encoding: ImageEncoding };
  'layer-blob': { layer: ExportLayer; path: string; encoding: LayerEncoding; scratch: string };
  'rootfs-tar': {
    trees: { root: string; overrides: Uint8Array; folder?: string }[];
    output: Output;
    clampMtime?: number;
  };
  'rootfs-directory': { root: string; directory: string; mirror: boolean };
  'rootfs-file': { root: string; path: BytePath; output: Output };
}

/** What is told while a layer's blob is written: bytes of the file that can be read. */
export interface Written {
  written: number;
}

export type Tell = (told: Written) => void;

type Format = keyof WriteTasks;

export type WriteTask = { [F in Format]: { format: F } & WriteTasks[F] }[Format];

const exporters: { [F in Format]: Exporter<WriteTasks[F], Tell> } = {
  'docker-archive': ({ images, indexes, output, encoding, scratch }, aborted) =>
    writeDockerArchive(
      images,
      output,
      encoding ? { ...encoding, indexes, scratch, aborted } : { indexes, aborted },
    ),

  'oci-archive': ({ images, indexes, output, encoding, scratch }, aborted) =>
    writeOciArchive(images, output, { ...encoding, indexes, scratch, aborted }),

  'oci-directory': ({ images, indexes, directory, encoding, scratch }, aborted) =>
    writeOciDirectory(images, directory, { ...encoding, indexes, scratch, aborted }),

  'layer-blob': ({ layer, path, encoding, scratch }, aborted, tell) =>
    writeLayerBlob(layer, { path, scratch, grown: (written) => tell({ written }) }, encoding, aborted),

  'rootfs-tar': ({ trees, output, clampMtime }, aborted) =>
    writeRootfsTar(
      trees.map(({ root, overrides, folder }) => ({
        directory: root,
        overrides: decodeOverrides(Buffer.from(overrides)),
        ...(folder === undefined ? {} : { folder }),
      })),
      output,
      { aborted, ...(clampMtime === undefined ? {} : { clampMtime }) },
    ),

  'rootfs-directory': ({ root, directory, mirror }, aborted) =>
    writeRootfsDirectory(root, directory, { mirror, aborted }),

  'rootfs-file': ({ root, path, output }, aborted) => writeRootfsFile(root, path, output, aborted),
};

/** Writes images or a root file system to where a user wants them; errors as the exporters'. */
export async function writeExport(task: WriteTask, aborted: Aborted, tell: Tell): Promise<unknown> {
  const exporter = exporters[task.format] as Exporter<WriteTask, Tell>;
  return exporter(task, aborted, tell);
}
