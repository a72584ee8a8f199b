import { packLayer } from '../layer/pack.ts';
import { endOfArchive } from '../layer/tar-write.ts';
import type { Overrides } from '../layer/types.ts';
import { bytesOf } from '../sys/bytes.ts';
import type { ArchiveResult } from './docker-archive.ts';
import { withOutput } from './output.ts';
import type { Aborted, Output } from './types.ts';

/** A root file system: a mounted merged tree, or the only layer of an image. */
export interface RootfsTree {
  directory: string;
  /** Metadata that the tree could not hold. */
  overrides?: Overrides;
  /** Folder of the archive that it goes into. */
  folder?: string;
}

export interface RootfsOptions {
  /** SOURCE_DATE_EPOCH, in seconds: later times become this. */
  clampMtime?: number;
  aborted?: Aborted;
}

/**
 * Writes root file systems as one flat tar: one alone, or several each into a folder. Runs in the worker.
 *
 * @throws SlipwayError those of `openOutput` and `packLayer`; nothing is left at the output's name then.
 */
export async function writeRootfsTar(
  trees: readonly RootfsTree[],
  output: Output,
  options: RootfsOptions = {},
): Promise<ArchiveResult> {
  return await withOutput(output, async (out) => {
    const { clampMtime, aborted } = options;
    let size = 0;
    for (const { directory, overrides, folder } of trees) {
      size += packLayer(directory, (chunk) => out.write(chunk), {
        ...(clampMtime === undefined ? {} : { clampMtime }),
        ...(aborted === undefined ? {} : { aborted }),
        ...(overrides === undefined ? {} : { overrides }),
        ...(folder === undefined ? {} : { inside: bytesOf(folder) }),
      }).tarSize;
    }
    if (trees.every(({ folder }) => folder === undefined)) return { size };
    out.write(endOfArchive);
    return { size: size + endOfArchive.length };
  });
}
