import { SlipwayError } from '../errors/index.ts';
import type { PlanNode } from '../plan/types.ts';

const failedNodes = new WeakMap<SlipwayError, PlanNode>();

/** Remembers at which node an error came up, the first time it is seen; gives the error back. */
export function markFailed(error: unknown, node: PlanNode): unknown {
  if (error instanceof SlipwayError && !failedNodes.has(error)) failedNodes.set(error, node);
  return error;
}

/** The node whose step threw this error, if one did. */
export function failedNode(error: unknown): PlanNode | undefined {
  return error instanceof SlipwayError ? failedNodes.get(error) : undefined;
}
