import { isErrno, SlipwayError } from '../../errors/index.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import type { SelectedSource } from '../executor.ts';
import { amountOf } from '../protocol/packed-files.ts';
import type { ActiveSnapshot } from '../snapshot/snapshotter.ts';
import { resolveOwner } from '../step/account.ts';
import { type KeptMetadata, MetadataKeeper } from '../step/metadata-keeper.ts';
import { joinRoot, resolveInRoot } from '../step/root-path.ts';
import { runHeavy, startThreads, THREADS } from '../worker/thread-pool.ts';
import { attributesOf } from './copy-attributes.ts';
import { addKept, openClaims, type SharedCopy } from './copy-shares.ts';
import { type CopyStepRequest, parentMaker, targetOf } from './copy-step.ts';
import { makeTop } from './copy-tree.ts';
import { openWrittenNames, type WrittenTree } from './written-tree.ts';

/** Below this one thread has copied everything by the time that the second is there. */
const WORTH_FILES = 2000;
const WORTH_BYTES = 64 * 1024 * 1024;

/** The one directory that a COPY copies to where nothing is, if that is what it does and it is large. */
export function sharedSource({ operation, root, sources }: CopyStepRequest): SelectedSource | undefined {
  const [source] = sources;
  if (source === undefined || sources.length > 1 || !source.directory || operation.heredocs.length > 0)
    return undefined;
  const { count, bytes } = amountOf(sources);
  if (count < WORTH_FILES && bytes < WORTH_BYTES) return undefined;
  const isNew = resolveInRoot(root, bytesOf(operation.destination)).missing.length > 0;
  return isNew ? source : undefined;
}

export interface CopyInThreads {
  sys: Sys;
  request: CopyStepRequest;
  /** See `sharedSource`. */
  source: SelectedSource;
  /** Where `request.root` is the root of. */
  snapshot: ActiveSnapshot;
  signal: AbortSignal;
}

export interface CopiedInThreads {
  kept: KeptMetadata;
  /** What was copied, if it is certain that the layer has it so. */
  tree: WrittenTree | undefined;
}

/** Copies a large directory in all threads, past the mount where that can be. Errors as `copyTree`. */
export async function copyInThreads(work: CopyInThreads): Promise<CopiedInThreads> {
  const { sys, request, source, snapshot, signal } = work;
  const { operation, root, keepOwner } = request;
  startThreads();
  const keeper = new MetadataKeeper(sys);
  const owner = operation.chown === undefined ? undefined : resolveOwner(root, operation.chown);
  const attributes = attributesOf(operation, keepOwner, owner);
  const base = source.root === undefined ? (request.from ?? '') : bytesOf(source.root);
  const from = joinRoot(base, source.path === '' ? [] : [source.path]);
  const top = targetOf(root, bytesOf(operation.destination), source, parentMaker(keeper, attributes));
  makeTop({ sys, from, to: top, source, attributes, keeper });
  const to = snapshot.direct?.(top) ?? top;
  const copy: SharedCopy = {
    from,
    to,
    source: inSharedMemory(source),
    operation,
    owner,
    keepOwner,
    written: openWrittenNames(amountOf([source]).count),
  };

  const kept = await runHeavy('copyDirectories', copy, { signal });
  for (const share of await copyShares(copy, signal)) addKept(kept, share);
  const whole = await runHeavy('copyEnd', { ...copy, kept }, { signal });
  addKept(keeper.kept, atPlace(whole, to, top));
  // Through the mount overlayfs may have put its marks on what was made.
  const isPast = snapshot.direct !== undefined;
  return { kept: keeper.kept, tree: isPast ? treeOf(sys, copy, top.slice(root.length + 1)) : undefined };
}

/** All or nothing: a tree in which one name is not as it was meant is read again. `path`: its place in the layer. */
function treeOf(sys: Sys, copy: SharedCopy, path: BytePath): WrittenTree | undefined {
  const { source, operation, owner, keepOwner, written, to } = copy;
  if (written.exact.includes(0) || inheritsAttributes(sys, to)) return undefined;
  return { path, source, operation, owner, keepOwner, times: written.times };
}

/** Whether what is made in a directory gets attributes of it; only a default ACL is passed on (acl(5)). */
function inheritsAttributes(sys: Sys, directory: BytePath): boolean {
  try {
    return sys.llistxattr(bufferOf(directory)).includes('system.posix_acl_default');
  } catch (error) {
    if (isErrno(error, 'ENOTSUP')) return false;
    throw error;
  }
}

/** The same without a copy of its own for every thread: 200,000 files are 14 MB. */
function inSharedMemory({ packed, ...source }: SelectedSource): SelectedSource {
  if (packed === undefined) return source;
  const data = new Uint8Array(new SharedArrayBuffer(packed.data.length));
  data.set(packed.data);
  return { ...source, packed: { ...packed, data } };
}

/** Every thread copies what it can get. The first failure ends them all, and none is left running. */
async function copyShares(copy: SharedCopy, signal: AbortSignal): Promise<KeptMetadata[]> {
  const claims = openClaims(amountOf([copy.source]).count);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const shares = Array.from({ length: THREADS }, async () => {
    try {
      return await runHeavy('copyShare', { ...copy, claims }, { signal: either });
    } catch (error) {
      stop.abort();
      throw error;
    }
  });
  const settled = await Promise.allSettled(shares);
  const failures = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  // Those that were stopped have nothing to tell.
  const failure =
    failures.find((error) => !(error instanceof SlipwayError && error.kind === 'canceled')) ?? failures[0];
  if (failure !== undefined) throw failure;
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** What was kept of names on disk, of those under the mount. */
function atPlace({ refused, settled }: KeptMetadata, from: BytePath, to: BytePath): KeptMetadata {
  const place = (path: BytePath): BytePath => to + path.slice(from.length);
  return {
    refused: new Map([...refused].map(([path, each]) => [place(path), each])),
    settled: new Set([...settled].map(place)),
  };
}
