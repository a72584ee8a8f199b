import { SlipwayError } from '../errors/index.ts';
import { MAX_DOCUMENT_SIZE } from '../image/json-guard.ts';
import type { Aborted } from './types.ts';

/** One file inside an image archive. */
export interface ArchiveFile {
  /** As messages name it. */
  name: string;
  /** Bytes. */
  size: number;
  /** The content in chunks of at most 1 MiB, each a buffer of its own. */
  read(aborted?: Aborted): AsyncGenerator<Buffer>;
}

/** The files of an image archive, wherever they lie. Nothing outside of it can be reached through a path. */
export interface ArchiveFiles {
  /** The file at this path (text, relative to the archive's root), links inside the archive followed. */
  find(path: string): ArchiveFile | undefined;
  /** Names of the directories at the archive's root, sorted. */
  folders(): string[];
  close(): void;
}

/** A JSON document or the like, whole. Throws `DOCUMENT_TOO_LARGE` beyond a few MiB. */
export async function readDocument(file: ArchiveFile): Promise<Buffer> {
  if (file.size > MAX_DOCUMENT_SIZE) {
    throw new SlipwayError(
      'exhausted',
      `${file.name} in the archive is larger than the limit of ${MAX_DOCUMENT_SIZE} bytes`,
      { code: 'DOCUMENT_TOO_LARGE' },
    );
  }
  const chunks: Buffer[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The file at `path`. Throws `ARCHIVE_INVALID` when it is not there. */
export function needFile(files: ArchiveFiles, path: string): ArchiveFile {
  const file = files.find(path);
  if (file === undefined) throw badArchive(`${JSON.stringify(path)} is missing`);
  return file;
}

/** The error of an archive that is no image archive, or a broken one. */
export function badArchive(why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `invalid image archive: ${why}`, { code: 'ARCHIVE_INVALID', cause });
}
