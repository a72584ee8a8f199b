import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors/index.ts';
import { pathNames } from '../layer/paths.ts';
import { type ArchiveFile, type ArchiveFiles, badArchive } from './archive-files.ts';
import { readRange } from './read-range.ts';
import type { Aborted } from './types.ts';

/** The files of an OCI layout that is a directory. Only ordinary files are read, links are not followed. */
export function openDirectoryFiles(directory: string): ArchiveFiles {
  return {
    find(path) {
      const file = join(directory, ...pathNames(path));
      const fd = open(file);
      if (fd === undefined) return undefined;
      const { size } = fstatSync(fd);
      closeSync(fd);
      const found: ArchiveFile = { name: path, size, read: (aborted) => readFile(file, size, aborted) };
      return found;
    },
    folders() {
      return readdirSync(directory, { withFileTypes: true })
        .flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
        .sort();
    },
    close() {},
  };
}

async function* readFile(path: string, size: number, aborted: Aborted | undefined): AsyncGenerator<Buffer> {
  const fd = open(path);
  if (fd === undefined) throw badArchive(`${JSON.stringify(path)} vanished`);
  try {
    yield* readRange(fd, { offset: 0, size }, aborted);
  } finally {
    closeSync(fd);
  }
}

function open(path: string): number | undefined {
  let fd: number;
  try {
    // A FIFO would make open wait for ever.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return undefined;
    throw error;
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return undefined;
}
