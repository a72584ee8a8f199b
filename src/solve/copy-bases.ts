import type { CacheBackend, LaidOver, StoredLayer } from '../cache/cache-backend.ts';
import { chainId } from '../cache/keys.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ExecutableStep, ExecuteResult, LayerBase } from '../execute/executor.ts';
import { amountOf } from '../execute/protocol/packed-files.ts';
import { chainId as chainIdOf } from '../image/digest.ts';
import { diffIdsOf, knownDiffIds, type PreparedStep, type Snapshot } from './types.ts';

/** A COPY below this is quickly written in full, and a mount with fewer directories is quicker. */
const WORTH_NAMES = 256;
const WORTH_BYTES = 8 * 1024 * 1024;

/** Earlier layers that a large COPY may be laid over, instead of writing again what they hold. */
export function copyBases(
  cache: CacheBackend,
  step: ExecutableStep,
  work: { parent: Snapshot; prepared: PreparedStep },
): LayerBase[] {
  // A layer that may lie over any other must not hide names of those.
  if (step.kind !== 'copy' || step.operation.link || step.source.kind === 'none') return [];
  const { count, bytes } = amountOf(step.source.sources);
  if (count < WORTH_NAMES && bytes < WORTH_BYTES) return [];
  // Over a parent that has just been made there is nothing.
  const parent = knownDiffIds(work.parent);
  if (parent === undefined) return [];
  return cache.basesFor(work.prepared.parts, chainId(parent)).map(({ stack, diffId }) => ({ stack, diffId }));
}

export interface CompleteRequest {
  cache: CacheBackend;
  /** Under which the layer was written. */
  id: string;
  result: ExecuteResult;
  parent: Snapshot;
  /** Executes the step once more, under another id and without a base. */
  inFull: (id: string) => Promise<ExecuteResult>;
}

/**
 * Names a layer once its digest is known. Where two builds have laid equal layers over different parents, and both
 * take names away, neither can stand for the other: then it is written in full, which fits everywhere.
 */
export async function completeCopy(request: CompleteRequest): Promise<StoredLayer> {
  const { cache, id, result } = request;
  const digest = await result.digest;
  const over = result.base && (await laidOver(result.base, request.parent));
  try {
    return cache.completeLayer(id, digest, over);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'LAYER_UNFIT') throw error;
  }
  const again = cache.allocateLayer();
  return cache.completeLayer(again, await (await request.inFull(again)).digest);
}

async function laidOver(base: NonNullable<ExecuteResult['base']>, parent: Snapshot): Promise<LaidOver> {
  const fits = base.hides ? (chainIdOf(await diffIdsOf(parent)) ?? '') : undefined;
  return { base: base.stack.at(-1)!, fits };
}
