import { closeSync, lstatSync, mkdirSync, openSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import { type BytePath, bufferOf, textOf } from '../../sys/bytes.ts';
import { S_IFIFO } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { SelectedFile, SelectedSource } from '../executor.ts';
import type { MetadataKeeper } from '../step/metadata-keeper.ts';
import { changed, copyFileContent } from './copy-file.ts';

/** What COPY may change on the way. */
export interface CopyAttributes {
  /** Owner for everything (`--chown`); undefined keeps the source's when `keepOwner`, else 0:0. */
  owner: { uid: number; gid: number } | undefined;
  /** Stages and images keep owners; a build context has none (DESIGN, decision 5). */
  keepOwner: boolean;
  /** New permission bits for an entry that has `mode` (`--chmod`); links are left alone. */
  chmod: ((mode: number, directory: boolean) => number) | undefined;
}

export interface CopyTreeRequest {
  sys: Sys;
  /** Absolute path of the source: a file, or the directory whose content is copied. */
  from: BytePath;
  /** Absolute path of the copy. Its parent exists and is real. */
  to: BytePath;
  source: SelectedSource;
  attributes: CopyAttributes;
  keeper: MetadataKeeper;
  /** Looked at for every name and every MiB. */
  aborted?: Aborted;
}

/**
 * Copies one source of COPY: a file becomes `to`, a directory's content is merged into `to` (SPEC 1.11, C4, C6,
 * C15 to C22). Every name is checked against what the cache key was made of.
 *
 * Throws `changed` when the source differs from the selection, `invalid` where a directory should replace
 * something else (`cannot copy to non-directory`) or a file a directory (`cannot replace to directory`).
 */
export function copyTree(request: CopyTreeRequest): void {
  const { sys, from, to, source, keeper } = request;
  // Of what the kernel refused a layer's directory holds less than its listing says.
  const modeBits = request.attributes.keepOwner ? 0o1777 : 0o7777;
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
    refuseWhiteoutName(file.path === '' && !source.directory ? (to.split('/').at(-1) ?? '') : file.path);
    const sourcePath = file.path === '' ? from : `${from}/${file.path}`;
    const target = file.path === '' ? to : `${to}/${file.path}`;
    const stat = lstatSync(bufferOf(sourcePath), { bigint: true, throwIfNoEntry: false });
    if (!stat || (Number(stat.mode) & modeBits) !== (file.mode & modeBits)) throw changed(sourcePath);
    const parentIsFresh = fresh.has(target.slice(0, target.lastIndexOf('/')));
    const existing = parentIsFresh ? undefined : lstatSync(bufferOf(target), { throwIfNoEntry: false });

    if (file.type === 'directory') {
      if (!stat.isDirectory()) throw changed(sourcePath);
      if (existing && !existing.isDirectory()) throw notADirectory(target, request);
      if (!existing && !fresh.has(target)) {
        mkdirSync(bufferOf(target), { mode: 0o700 });
        fresh.add(target);
      }
      if (file.path !== '') directoryTimes.push({ path: target, mtimeNs: stat.mtimeNs });
      applyAttributes(request, { file, target, existing: existing !== undefined });
      continue;
    }

    if (existing?.isDirectory()) throw fileOverDirectory(target);
    if (existing) unlinkSync(bufferOf(target));
    if (file.hardLink !== undefined) {
      keeper.link(`${to}/${file.hardLink}`, target);
      continue;
    }
    if (file.type === 'file') {
      const { sha256 = '', size } = file;
      copyFileContent(
        sourcePath,
        target,
        { sha256, size },
        {
          aborted: request.aborted,
          share: (output, input) => sys.reflink(output, input),
          finish: (fd) => {
            applyAttributes(request, { file, target, existing: false, fd });
            sys.futimens(fd, stat.mtimeNs);
          },
        },
      );
      continue;
    }
    makeEntry(request, { file, target, sourcePath, rdev: stat.rdev });
    applyAttributes(request, { file, target, existing: false });
    sys.utimens(bufferOf(target), stat.mtimeNs);
  }
  // Deepest first, since making a name changes its directory's time.
  for (const { path, mtimeNs } of directoryTimes.reverse()) sys.utimens(bufferOf(path), mtimeNs);
}

/**
 * The destination of a directory's content: a new one is 0755 and root's or `--chown`'s, an old one keeps what it
 * has (C20). True if it was made.
 */
function makeTop(request: CopyTreeRequest): boolean {
  const { to, attributes } = request;
  const existing = lstatSync(bufferOf(to), { throwIfNoEntry: false });
  if (existing && !existing.isDirectory()) throw notADirectory(to, request);
  if (existing) return false;
  mkdirSync(bufferOf(to), { mode: 0o755 });
  request.keeper.setOwner(to, attributes.owner ?? { uid: 0, gid: 0 });
  request.keeper.setMode(to, attributes.chmod ? attributes.chmod(0o755, true) : 0o755);
  return true;
}

interface Entry {
  file: SelectedFile;
  target: BytePath;
}

/** Makes anything but directories and regular files. */
function makeEntry(
  { sys, keeper }: CopyTreeRequest,
  entry: Entry & { sourcePath: BytePath; rdev: bigint },
): void {
  const { file, target, sourcePath } = entry;
  switch (file.type) {
    case 'symlink': {
      const link = readlinkSync(bufferOf(sourcePath), { encoding: 'latin1' });
      if (link !== file.link) throw changed(sourcePath);
      symlinkSync(bufferOf(link), bufferOf(target));
      return;
    }
    case 'socket':
      // Arrives as an empty file, as in Docker (C22).
      closeSync(openSync(bufferOf(target), 'wx', 0o600));
      return;
    case 'fifo':
      sys.mknod(bufferOf(target), S_IFIFO | 0o600, 0, 0);
      return;
    default: {
      const { major = deviceMajor(entry.rdev), minor = deviceMinor(entry.rdev) } = file;
      keeper.makeDevice(target, { type: file.type === 'char' ? 'char' : 'block', major, minor });
    }
  }
}

function applyAttributes(request: CopyTreeRequest, entry: Entry & { existing: boolean; fd?: number }): void {
  const { sys, attributes, keeper } = request;
  const { file, target, fd } = entry;
  const { uid = 0, gid = 0 } = attributes.owner ?? (attributes.keepOwner ? file : {});
  if (entry.existing) keeper.setOwnerAgain(target, { uid, gid });
  else keeper.setOwner(target, { uid, gid }, fd);
  if (file.type === 'symlink') return;
  // Owner before mode: chown clears setuid bits. Attributes after the owner: chown drops capabilities.
  const given = file.newMode ?? file.mode;
  const mode = attributes.chmod ? attributes.chmod(given, file.type === 'directory') : given;
  keeper.setMode(target, mode, fd);
  setXattrs(sys, file, target);
}

/** Best effort, as in Docker (C22): a file system without attributes is no reason to fail. */
function setXattrs(sys: Sys, { xattrs = [] }: SelectedFile, path: BytePath): void {
  for (const [name, value] of xattrs) {
    try {
      sys.lsetxattr(bufferOf(path), name, Buffer.from(value, 'base64'));
    } catch {}
  }
}

/** `.wh.` marks deletions in layers (OCI layer.md, Whiteouts): a file of that name would delete another. */
export function refuseWhiteoutName(path: BytePath): void {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (!name.startsWith('.wh.')) return;
  throw new SlipwayError(
    'invalid',
    `${textOf(path)} cannot be in an image: names that begin with .wh. mark deletions`,
    {
      code: 'WHITEOUT_NAME',
      hint: 'Rename it, or keep it out with the ignore file.',
    },
  );
}

/** The error of C19: a file does not replace a directory. */
export function fileOverDirectory(target: BytePath): SlipwayError {
  return new SlipwayError('invalid', `cannot replace to directory ${textOf(target)} with file`, {
    code: 'FILE_OVER_DIRECTORY',
    hint: 'The destination holds a directory of this name.',
  });
}

function notADirectory(target: BytePath, request: CopyTreeRequest): SlipwayError {
  return new SlipwayError('invalid', `cannot copy to non-directory: ${textOf(target)}`, {
    code: 'DIRECTORY_OVER_FILE',
    hint: `${textOf(request.source.path) || '.'} is a directory, and the destination has a file or link of that name.`,
  });
}

/** Linux's encoding of device numbers in st_rdev (glibc gnu_dev_major). */
function deviceMajor(rdev: bigint): number {
  return Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
}

function deviceMinor(rdev: bigint): number {
  return Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));
}
