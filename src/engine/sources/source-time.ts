import fs from 'node:fs';
import type { GitLocation } from '../../context/git/git-location.ts';
import { findCommit } from '../../context/git/git-tree.ts';
import { parseGitLocation, parseLocalRepository } from '../../context/git/parse-git-location.ts';
import { isArchive, MAGIC_BYTES } from '../../context/is-archive.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import { openWebFile } from '../../context/web/web-file.ts';
import { decompress } from '../../layer/compress.ts';
import { TarReader } from '../../layer/tar-read.ts';

/** Something fetched whose time is asked for. */
export type FetchedTime =
  | { kind: 'git'; location: GitLocation }
  | { kind: 'http'; url: string; checksum?: string };

/** What the user names as a context, if that is fetched; a directory has no time (SPEC 1.6). */
export function fetchedContext(argument: string, cwd: string): FetchedTime | undefined {
  const location = parseLocalRepository(argument, cwd) ?? parseGitLocation(argument);
  if (location !== undefined) return { kind: 'git', location };
  return /^https?:\/\//i.test(argument) ? { kind: 'http', url: argument } : undefined;
}

/**
 * The time of a commit; of a URL what the server says, else that of the newest file in the archive behind it. Seconds
 * since 1970; undefined for none. Errors as `findCommit` and `openWebFile`.
 */
export async function fetchedTime(source: FetchedTime, access: RemoteAccess): Promise<number | undefined> {
  if (source.kind === 'git') return await commitTime(source.location, access);
  const file = await openWebFile(source, access);
  try {
    return file.mtime > 0 ? file.mtime : await newestIn(file.path);
  } finally {
    file.release();
  }
}

/** All files of such a checkout have the commit's time. */
async function commitTime(location: GitLocation, access: RemoteAccess): Promise<number> {
  const found = await findCommit({ ...location, mtime: 'commit' }, access, 'user');
  const tree = await found.open();
  try {
    return Math.floor(fs.statSync(tree.root).mtimeMs / 1000);
  } finally {
    tree.release();
  }
}

async function newestIn(path: string): Promise<number | undefined> {
  const start = Buffer.alloc(MAGIC_BYTES);
  const descriptor = fs.openSync(path, 'r');
  try {
    const length = fs.readSync(descriptor, start, 0, MAGIC_BYTES, 0);
    if (!(await isArchive(start.subarray(0, length)))) return undefined;
  } finally {
    fs.closeSync(descriptor);
  }
  let newest: bigint | undefined;
  const reader = new TarReader({
    entry: ({ type, mtimeNs }) => {
      if (type === 'file' && (newest === undefined || mtimeNs > newest)) newest = mtimeNs;
    },
    data: () => {},
    end: () => {},
  });
  try {
    for await (const chunk of decompress(fs.createReadStream(path, { highWaterMark: 1 << 20 }))) {
      reader.write(chunk);
      if (reader.ended) break;
    }
  } catch {
    // Compressed, and no archive: it has no time.
    return undefined;
  }
  return newest === undefined ? undefined : Number(newest / 1_000_000_000n);
}
