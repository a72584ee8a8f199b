import { createHash } from 'node:crypto';
import { SlipwayError } from '../errors/index.ts';
import { loadSys } from '../sys/linux.ts';
import { throwIfAborted } from './abort.ts';
import { TarReader } from './tar-read.ts';
import { LayerWriter } from './unpack-layer.ts';
import type { UnpackOptions, UnpackResult } from './unpack-types.ts';

export type { UnpackOptions, UnpackResult } from './unpack-types.ts';

/**
 * Unpacks a tar archive (not compressed) as a layer directory in overlayfs's form: `.wh.name` becomes a character
 * device 0:0, `.wh..wh..opq` an attribute of its directory. `dir` is text; it must exist, be empty and belong to
 * this call alone. What stands in it after an error is for the caller to remove.
 *
 * Nothing is written outside `dir`: `..` and leading slashes are clamped, symbolic links of the layer are resolved
 * inside it and never by the kernel, a hard link must name a file of this layer. Devices 0:0 and entries of unknown
 * type are refused; overlayfs's attributes are dropped. A later entry replaces an earlier one of the same name.
 *
 * Throws `invalid` for a bad archive, `exhausted` for the limits and a full disk, `canceled`.
 */
export async function unpackLayer(
  stream: AsyncIterable<Buffer>,
  dir: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  const digest = createHash('sha256');
  const writer = new LayerWriter(dir, loadSys(), options);
  const reader = new TarReader(writer);
  let tarSize = 0;
  try {
    for await (const chunk of stream) {
      throwIfAborted(options.aborted);
      digest.update(chunk);
      tarSize += chunk.length;
      reader.write(chunk);
    }
    reader.end();
    await options.lowerReady?.();
    const { entries, overrides, size } = writer.finish();
    const { warnings } = writer;
    return { diffId: `sha256:${digest.digest('hex')}`, tarSize, size, entries, overrides, warnings };
  } catch (error) {
    throw explain(error);
  } finally {
    writer.close();
  }
}

/** Errors of the disk that people meet, in their words. */
function explain(error: unknown): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SlipwayError('exhausted', 'no space left on the disk while a layer was unpacked', {
      code: 'DISK_FULL',
      cause: error,
    });
  }
  if (code === 'ENAMETOOLONG') {
    return new SlipwayError(
      'invalid',
      'a tar entry has a name or path that is too long for this file system',
      {
        code: 'TAR_PATH_TOO_LONG',
        cause: error,
      },
    );
  }
  return error;
}
