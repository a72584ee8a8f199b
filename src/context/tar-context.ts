import fs from 'node:fs';
import path from 'node:path';
import type { ContextSource } from './context-source.ts';
import { openDirectoryContext } from './directory-context.ts';
import { type ArchiveLimits, unpackArchive } from './unpack-archive.ts';

export interface TarContextOptions {
  /** For messages: `standard input`. */
  description: string;
  /** A directory with room for the files; a new one is made in it and removed by `close`. */
  temporaryDirectory: string;
  limits?: ArchiveLimits;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * An archive (plain tar, or compressed with gzip, bzip2, xz or zstd) as a build context. No ignore file applies to
 * it, as with Docker (SPEC I12).
 *
 * @throws SlipwayError as `unpackArchive`, and `invalid` BAD_COMPRESSION
 */
export async function openTarContext(
  source: AsyncIterable<Buffer>,
  options: TarContextOptions,
): Promise<ContextSource> {
  const { decompress } = await import('../layer/compress.ts');
  fs.mkdirSync(options.temporaryDirectory, { recursive: true });
  const root = fs.mkdtempSync(path.join(options.temporaryDirectory, 'context-'));
  const remove = (): void => fs.rmSync(root, { recursive: true, force: true });
  try {
    const { limits, signal } = options;
    await unpackArchive(decompress(source), root, { ...(limits === undefined ? {} : { limits }), signal });
    const { description, readXattrs } = options;
    const context = openDirectoryContext({ root, description, ignore: false, readXattrs });
    return { ...context, close: remove };
  } catch (error) {
    remove();
    throw error;
  }
}
