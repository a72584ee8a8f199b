import { closeSync, existsSync, lstatSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Aborted } from '../../layer/abort.ts';
import { decodeListing, LISTING_START, listingLength } from '../../layer/listing.ts';
import type { CopyOperation } from '../../plan/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { listingPath } from '../../store/layout.ts';
import { type BytePath, bufferOf, bytesOf, fsPath } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import type { LayerBase, SelectedSource } from '../executor.ts';
import { amountOf, unpackSources } from '../protocol/packed-files.ts';
import { resolveOwner } from '../step/account.ts';
import { type KeptMetadata, MetadataKeeper } from '../step/metadata-keeper.ts';
import { joinRoot } from '../step/root-path.ts';
import { indexBase } from './base-index.ts';
import { attributesOf, type CopyAttributes } from './copy-attributes.ts';
import { copyTargets } from './copy-targets.ts';
import { copyTree } from './copy-tree.ts';
import { type DeltaPlan, planDelta } from './delta-plan.ts';

export interface DeltaSearch {
  /** Absolute path of the store. */
  store: string;
  operation: CopyOperation;
  /** Absolute path of the root file system without the layer to be made. */
  root: BytePath;
  /** As they came, packed or not. */
  sources: readonly SelectedSource[];
  keepOwner: boolean;
  bases: readonly LayerBase[];
  clampMtime?: number | undefined;
}

/** A COPY that is to be done over an earlier layer. Plain data. */
export interface DeltaCopy {
  base: LayerBase;
  plan: DeltaPlan;
  owner: CopyAttributes['owner'];
}

/** Reading and writing a file costs about as much as copying this many bytes. */
const BYTES_PER_NAME = 16 * 1024;

/** A layer of which more than this part would be written again is not worth a second directory. */
const WORTH = 1 / 2;

/** From this part on no better base is looked for. */
const SMALL = 1 / 16;

/** Finds the earlier layer that a COPY differs least from; undefined when it is better written in full. */
export function findDelta(search: DeltaSearch): DeltaCopy | undefined {
  const { operation, root, sources, store } = search;
  if (operation.heredocs.length > 0) return undefined;
  // An archive becomes what only reading it can tell.
  if (operation.instruction === 'ADD' && sources.some((source) => !source.directory)) return undefined;
  const targets = copyTargets(root, operation, sources);
  if (targets === undefined) return undefined;
  const { count, bytes } = amountOf(sources);
  const whole = count + bytes / BYTES_PER_NAME;
  let least = whole * WORTH;
  // What a base has not has to be written: one that is much smaller is not looked at.
  const bases = search.bases.filter((base) => count - namesIn(listingPath(store, base.diffId)) <= least);
  if (bases.length === 0) return undefined;
  const owner = operation.chown === undefined ? undefined : resolveOwner(root, operation.chown);
  const attributes = attributesOf(operation, search.keepOwner, owner);
  const files = unpackSources(sources);
  let best: DeltaCopy | undefined;
  for (const base of bases) {
    const listing = listingPath(store, base.diffId);
    const index = indexBase(decodeListing(readFileSync(listing)));
    const plan =
      index &&
      planDelta({
        sources: files,
        targets,
        attributes,
        base: index,
        isBelow: (path) => lstatSync(fsPath(`${root}/${path}`), { throwIfNoEntry: false }) !== undefined,
        clampNs: search.clampMtime === undefined ? undefined : BigInt(search.clampMtime) * 1_000_000_000n,
      });
    if (plan === undefined) continue;
    const cost = plan.work + plan.bytes / BYTES_PER_NAME;
    if (cost > least) continue;
    least = cost;
    best = { base, plan, owner };
    if (cost <= whole * SMALL) break;
  }
  return best;
}

export interface DeltaCopyRequest extends Pick<DeltaCopy, 'plan' | 'owner'> {
  operation: CopyOperation;
  /** Absolute path of the mounted root file system, with the earlier layer on top. */
  root: BytePath;
  /** Absolute path of the directory that the sources are relative to. */
  from: BytePath;
  keepOwner: boolean;
}

/** Turns the earlier layer into the one that is wanted. Errors as `copyTree`. */
export function deltaCopy(sys: Sys, request: DeltaCopyRequest, aborted?: Aborted): KeptMetadata {
  const { plan, root } = request;
  const keeper = new MetadataKeeper(sys);
  const attributes = attributesOf(request.operation, request.keepOwner, request.owner);
  for (const path of plan.removed) {
    deleteTree(bufferOf(`${root}/${path}`), aborted === undefined ? {} : { aborted });
  }
  for (const { to, source } of plan.sources) {
    const base = source.root === undefined ? request.from : bytesOf(source.root);
    const from = joinRoot(base, source.path === '' ? [] : [source.path]);
    copyTree({
      sys,
      from,
      to: to === '' ? root : `${root}/${to}`,
      source,
      attributes,
      keeper,
      ...(aborted && { aborted }),
    });
  }
  return keeper.kept;
}

/** How many names a listing has; none if there is no listing. */
function namesIn(listing: string): number {
  if (!existsSync(listing)) return Number.NEGATIVE_INFINITY;
  const start = Buffer.alloc(LISTING_START);
  const fd = openSync(listing, 'r');
  try {
    readSync(fd, start, 0, start.length, 0);
  } finally {
    closeSync(fd);
  }
  return listingLength(start);
}
