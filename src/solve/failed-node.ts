import { SlipwayError } from '../errors/index.ts';
import type { PlanNode } from '../plan/types.ts';

const failedNodes = new WeakMap<SlipwayError, PlanNode>();

/** Remembers at which node an error came up, the first time it is seen; gives the error back. */
export function markFailed(error: unknown, node: PlanNode): unknown {
  if (error instanceof SlipwayError && !failedNodes.has(error)) failedNodes.set(error, node);
  return error;
}

/** The build begins again without something that it has believed in: the node has not failed. */
export function isLost(error: unknown): boolean {
  return error instanceof SlipwayError && error.code === 'CACHE_LAYER_LOST';
}

/** The node whose step threw this error, if one did. */
export function failedNode(error: unknown): PlanNode | undefined {
  return error instanceof SlipwayError ? failedNodes.get(error) : undefined;
}
