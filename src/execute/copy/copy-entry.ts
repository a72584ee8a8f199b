import {
  type BigIntStats,
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import type { Aborted } from '../../layer/abort.ts';
import { type BytePath, bufferOf, textOf } from '../../sys/bytes.ts';
import { S_IFIFO } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { SelectedFile, SelectedSource } from '../executor.ts';
import type { MetadataKeeper } from '../step/metadata-keeper.ts';
import { type CopyAttributes, modeOf, ownerOf } from './copy-attributes.ts';
import { changed, copyFileContent } from './copy-file.ts';
import { isDescribed } from './written-tree.ts';

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

/** Where an entry of the source lies. */
export function sourcePathOf({ from }: CopyTreeRequest, { path }: SelectedFile): BytePath {
  return path === '' ? from : `${from}/${path}`;
}

/** Where it goes. */
export function targetPathOf({ to }: CopyTreeRequest, { path }: SelectedFile): BytePath {
  return path === '' ? to : `${to}/${path}`;
}

/** Refuses a name that no layer can hold. */
export function checkName({ to, source }: CopyTreeRequest, path: BytePath): void {
  refuseWhiteoutName(path === '' && !source.directory ? (to.split('/').at(-1) ?? '') : path);
}

/**
 * Makes a directory of the source, or gives one that is there its attributes. `isFresh`: nothing can be at its place.
 * Returns the source's time, for when all is in it, and whether the directory was made.
 */
export function copyDirectory(
  request: CopyTreeRequest,
  file: SelectedFile,
  isFresh: boolean,
): { mtimeNs: bigint; isNew: boolean } {
  const [sourcePath, target] = [sourcePathOf(request, file), targetPathOf(request, file)];
  const stat = lstatSync(bufferOf(sourcePath), { bigint: true, throwIfNoEntry: false });
  if (!stat?.isDirectory() || !hasMode(request, file, stat.mode)) throw changed(sourcePath);
  const existing = isFresh ? undefined : lstatSync(bufferOf(target), { throwIfNoEntry: false });
  if (existing && !existing.isDirectory()) throw notADirectory(target, request);
  if (!existing) mkdirSync(bufferOf(target), { mode: 0o700 });
  applyAttributes(request, { file, target, existing: existing !== undefined });
  return { mtimeNs: stat.mtimeNs, isNew: !existing };
}

/**
 * Copies anything but a directory, in the place of what is there unless `isFresh` says that nothing is. Returns the time
 * of what is then on disk exactly as it was meant, if it is new.
 */
export function copyEntry(
  request: CopyTreeRequest,
  file: SelectedFile,
  isFresh: boolean,
): bigint | undefined {
  const target = targetPathOf(request, file);
  if (!isFresh) makeWay(target);
  const { sys } = request;
  const sourcePath = sourcePathOf(request, file);
  if (file.type === 'file' && file.hardLink === undefined) {
    const { sha256 = '', size } = file;
    let exact: bigint | undefined;
    copyFileContent(
      sourcePath,
      target,
      { sha256, size },
      {
        aborted: request.aborted,
        ...(isFresh && { mode: modeOf(file, request.attributes) & 0o777 }),
        share: (output, input) => sys.reflink(output, input),
        accepts: ({ mode }) => hasMode(request, file, mode),
        finish: (fd, mtimeNs) => {
          sys.futimens(fd, mtimeNs);
          const isDone = (): boolean =>
            isFresh && isExact(request, file, { stat: fstatSync(fd, { bigint: true }), mtimeNs });
          // A new file is mostly made as it shall be: then there is nothing to set.
          if (!isDone()) {
            applyAttributes(request, { file, target, existing: false, fd });
            if (!isDone()) return;
          }
          exact = mtimeNs;
        },
      },
    );
    return exact;
  }
  const stat = lstatSync(bufferOf(sourcePath), { bigint: true, throwIfNoEntry: false });
  if (!stat || !hasMode(request, file, stat.mode)) throw changed(sourcePath);
  if (file.hardLink !== undefined) {
    request.keeper.link(`${request.to}/${file.hardLink}`, target);
    return undefined;
  }
  makeEntry(request, { file, target, sourcePath, rdev: stat.rdev });
  applyAttributes(request, { file, target, existing: false });
  sys.utimens(bufferOf(target), stat.mtimeNs);
  return isFresh ? exactTime(request, file, stat.mtimeNs) : undefined;
}

/** The time of a new name that is on disk exactly as it was meant; undefined for any other. */
export function exactTime(request: CopyTreeRequest, file: SelectedFile, mtimeNs: bigint): bigint | undefined {
  if (!isDescribed(file)) return undefined;
  const stat = lstatSync(bufferOf(targetPathOf(request, file)), { bigint: true });
  return isExact(request, file, { stat, mtimeNs }) ? mtimeNs : undefined;
}

/** File systems round times, take modes for advice or give files to somebody else. */
function isExact(
  { attributes }: CopyTreeRequest,
  file: SelectedFile,
  { stat, mtimeNs }: { stat: BigIntStats; mtimeNs: bigint },
): boolean {
  if (!isDescribed(file) || stat.mtimeNs !== mtimeNs) return false;
  const { uid, gid } = ownerOf(file, attributes);
  if (Number(stat.uid) !== uid || Number(stat.gid) !== gid) return false;
  return file.type === 'symlink' || (Number(stat.mode) & 0o7777) === modeOf(file, attributes);
}

/** Of what the kernel refused a layer's directory holds less than its listing says. */
function hasMode({ attributes }: CopyTreeRequest, file: SelectedFile, mode: bigint): boolean {
  const bits = attributes.keepOwner ? 0o1777 : 0o7777;
  return (Number(mode) & bits) === (file.mode & bits);
}

/** A directory is not replaced by a file (C19). */
function makeWay(target: BytePath): void {
  const existing = lstatSync(bufferOf(target), { throwIfNoEntry: false });
  if (existing?.isDirectory()) throw fileOverDirectory(target);
  if (existing) unlinkSync(bufferOf(target));
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
  const { uid, gid } = ownerOf(file, attributes);
  if (entry.existing) keeper.setOwnerAgain(target, { uid, gid });
  else keeper.setOwner(target, { uid, gid }, fd);
  if (file.type === 'symlink') return;
  // Owner before mode: chown clears setuid bits. Attributes after the owner: chown drops capabilities.
  keeper.setMode(target, modeOf(file, attributes), fd);
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

/** The error of C19 the other way round. */
export function notADirectory(target: BytePath, request: CopyTreeRequest): SlipwayError {
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
