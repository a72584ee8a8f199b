import { lstatSync, mkdirSync } from 'node:fs';
import { throwIfAborted } from '../../layer/abort.ts';
import { type BytePath, bufferOf } from '../../sys/bytes.ts';
import {
  type CopyTreeRequest,
  checkName,
  copyDirectory,
  copyEntry,
  notADirectory,
  targetPathOf,
} from './copy-entry.ts';
import { changed } from './copy-file.ts';

/**
 * Copies one source of COPY: a file becomes `to`, a directory's content is merged into `to` (SPEC 1.11, C4, C6,
 * C15 to C22). Every name is checked against what the cache key was made of.
 *
 * Throws `changed` when the source differs from the selection, `invalid` where a directory should replace
 * something else (`cannot copy to non-directory`) or a file a directory (`cannot replace to directory`).
 */
export function copyTree(request: CopyTreeRequest): void {
  const { sys, from, to, source } = request;
  const directoryTimes: { path: BytePath; mtimeNs: bigint }[] = [];
  const fresh = new Set<BytePath>();
  if (source.directory) {
    const stat = lstatSync(bufferOf(from), { bigint: true, throwIfNoEntry: false });
    if (!stat?.isDirectory()) throw changed(from);
    if (makeTop(request)) fresh.add(to);
    directoryTimes.push({ path: to, mtimeNs: stat.mtimeNs });
  }
  for (const file of source.files) {
    throwIfAborted(request.aborted);
    checkName(request, file.path);
    const target = targetPathOf(request, file);
    const isFresh = fresh.has(target.slice(0, target.lastIndexOf('/')));
    if (file.type !== 'directory') {
      copyEntry(request, file, isFresh);
      continue;
    }
    const { mtimeNs, isNew } = copyDirectory(request, file, isFresh);
    if (isNew) fresh.add(target);
    if (file.path !== '') directoryTimes.push({ path: target, mtimeNs });
  }
  // Deepest first, since making a name changes its directory's time.
  for (const { path, mtimeNs } of directoryTimes.reverse()) sys.utimens(bufferOf(path), mtimeNs);
}

/**
 * The destination of a directory's content: a new one is 0755 and root's or `--chown`'s, an old one keeps what it
 * has (C20). True if it was made.
 */
export function makeTop(request: CopyTreeRequest): boolean {
  const { to, attributes } = request;
  const existing = lstatSync(bufferOf(to), { throwIfNoEntry: false });
  if (existing && !existing.isDirectory()) throw notADirectory(to, request);
  if (existing) return false;
  mkdirSync(bufferOf(to), { mode: 0o755 });
  request.keeper.setOwner(to, attributes.owner ?? { uid: 0, gid: 0 });
  request.keeper.setMode(to, attributes.chmod ? attributes.chmod(0o755, true) : 0o755);
  return true;
}
