import { lstatSync } from 'node:fs';
import { type Aborted, throwIfAborted } from '../../layer/abort.ts';
import type { CopyOperation } from '../../plan/types.ts';
import { type BytePath, bufferOf } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import type { SelectedFile, SelectedSource } from '../executor.ts';
import { filesOf, type Wants } from '../protocol/packed-files.ts';
import { type KeptMetadata, MetadataKeeper, type Owner } from '../step/metadata-keeper.ts';
import { attributesOf } from './copy-attributes.ts';
import {
  type CopyTreeRequest,
  checkName,
  copyDirectory,
  copyEntry,
  exactTime,
  sourcePathOf,
  targetPathOf,
} from './copy-entry.ts';
import { changed } from './copy-file.ts';
import { noteWritten, type WrittenNames } from './written-tree.ts';

/**
 * A directory that is copied to a new one by several threads: first the directories are made, then the files are
 * copied, then come hard links and the times of the directories. Plain data.
 */
export interface SharedCopy {
  /** Absolute path of the directory whose content is copied. */
  from: BytePath;
  /** Absolute path of the copy, which is there and empty. */
  to: BytePath;
  source: SelectedSource;
  operation: Pick<CopyOperation, 'chmod'>;
  owner: Owner | undefined;
  keepOwner: boolean;
  /** Where every thread notes what it has done. */
  written: WrittenNames;
}

/** What the threads take their shares by: 1 for each group of files that one of them has taken. */
export interface Claims {
  taken: Int32Array;
  /** Files of a group. */
  group: number;
}

/** Files side by side, for the caches of the kernel; at least some groups for every thread. */
const MOST_IN_GROUP = 64;
const LEAST_GROUPS = 32;

export function openClaims(files: number): Claims {
  const group = Math.min(MOST_IN_GROUP, Math.ceil(files / LEAST_GROUPS));
  const groups = Math.ceil(files / group);
  return { taken: new Int32Array(new SharedArrayBuffer(4 * groups)), group };
}

/** Makes all directories. Errors as `copyTree`. */
export function makeDirectories(sys: Sys, copy: SharedCopy, aborted: Aborted): KeptMetadata {
  const request = requestOf(sys, copy, aborted);
  const isDirectory: Wants = (path, type) => {
    throwIfAborted(aborted);
    checkName(request, path);
    return type === 'directory';
  };
  for (const directory of filesOf(copy.source, isDirectory)) copyDirectory(request, directory, true);
  return request.keeper.kept;
}

/** Copies the groups of files that nobody else has taken. Errors as `copyTree`. */
export function copyShare(
  sys: Sys,
  { claims, ...copy }: SharedCopy & { claims: Claims },
  aborted: Aborted,
): KeptMetadata {
  const request = requestOf(sys, copy, aborted);
  const { taken, group } = claims;
  let left = 0;
  let at = 0;
  let isClaimed = false;
  let index = -1;
  const isMine: Wants = (_, type, isHardLink) => {
    index++;
    if (type === 'directory' || isHardLink) return false;
    if (left === 0) {
      isClaimed = Atomics.compareExchange(taken, at++, 0, 1) === 0;
      left = group;
    }
    left--;
    return isClaimed;
  };
  for (const file of filesOf(copy.source, isMine)) {
    throwIfAborted(aborted);
    noteWritten(copy.written, index, copyEntry(request, file, true));
  }
  return request.keeper.kept;
}

/** Makes the hard links and sets the times of the directories. `kept` is what came of the rest. Errors as `copyTree`. */
export function finishCopy(
  sys: Sys,
  { kept, ...copy }: SharedCopy & { kept: KeptMetadata },
  aborted: Aborted,
): KeptMetadata {
  const request = requestOf(sys, copy, aborted);
  addKept(request.keeper.kept, kept);
  const directories: { file: SelectedFile; index: number }[] = [];
  let index = -1;
  const isLeft: Wants = (_, type, isHardLink) => {
    index++;
    return type === 'directory' || isHardLink;
  };
  for (const file of filesOf(copy.source, isLeft)) {
    throwIfAborted(aborted);
    if (file.hardLink !== undefined) copyEntry(request, file, true);
    if (file.type === 'directory') directories.push({ file, index });
  }
  const setTime = (from: BytePath, to: BytePath): bigint => {
    const stat = lstatSync(bufferOf(from), { bigint: true, throwIfNoEntry: false });
    if (!stat?.isDirectory()) throw changed(from);
    sys.utimens(bufferOf(to), stat.mtimeNs);
    return stat.mtimeNs;
  };
  // Deepest first, since making a name changes its directory's time.
  for (const { file, index } of directories.reverse()) {
    const mtimeNs = setTime(sourcePathOf(request, file), targetPathOf(request, file));
    noteWritten(copy.written, index, exactTime(request, file, mtimeNs));
  }
  setTime(copy.from, copy.to);
  return request.keeper.kept;
}

/** Adds what another part of a copy was refused. */
export function addKept(to: KeptMetadata, { refused, settled }: KeptMetadata): void {
  for (const [path, each] of refused) to.refused.set(path, each);
  for (const path of settled) to.settled.add(path);
}

function requestOf(sys: Sys, copy: SharedCopy, aborted: Aborted): CopyTreeRequest {
  const { from, to, source, operation, owner, keepOwner } = copy;
  const attributes = attributesOf(operation, keepOwner, owner);
  return { sys, from, to, source, attributes, keeper: new MetadataKeeper(sys), aborted };
}
