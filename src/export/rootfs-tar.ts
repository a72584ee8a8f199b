import { packLayer } from '../layer/pack.ts';
import type { Overrides } from '../layer/types.ts';
import type { ArchiveResult } from './docker-archive.ts';
import { withOutput } from './output.ts';
import type { Aborted, Output } from './types.ts';

export interface RootfsOptions {
  /** SOURCE_DATE_EPOCH, in seconds: later times become this. */
  clampMtime?: number;
  aborted?: Aborted;
  /** Metadata that the tree could not hold. */
  overrides?: Overrides;
}

/**
 * Writes a root file system as one flat tar: `directory` is a mounted merged tree, or the only layer of an image.
 * Runs in the worker.
 *
 * @throws SlipwayError those of `openOutput` and `packLayer`; nothing is left at the output's name then.
 */
export async function writeRootfsTar(
  directory: string,
  output: Output,
  options: RootfsOptions = {},
): Promise<ArchiveResult> {
  return await withOutput(output, async (out) => {
    const { clampMtime, aborted, overrides } = options;
    const { tarSize } = packLayer(directory, (chunk) => out.write(chunk), {
      ...(clampMtime === undefined ? {} : { clampMtime }),
      ...(aborted === undefined ? {} : { aborted }),
      ...(overrides === undefined ? {} : { overrides }),
    });
    return { size: tarSize };
  });
}
