import type { StepCost } from '../cache/cache-backend.ts';
import type { NodeId, Plan, PlanNode } from '../plan/types.ts';

/** Guess for a step that never ran: a RUN is usually what takes the time. */
const UNKNOWN_RUN_MS = 5000;
const UNKNOWN_OTHER_MS = 100;

/**
 * Milliseconds from the start of each node to the end of the build along the longest path through it: ready steps
 * with more still to come after them start first (DESIGN, decision 10).
 */
export function remainingTimes(plan: Plan, lastRun: LastRun): Map<NodeId, number> {
  const after = new Map<NodeId, number>();
  // Nodes come after what they depend on, so that in reverse every user of a node is done before it.
  for (const node of plan.nodes.toReversed()) {
    const total = ownTime(node, lastRun) + (after.get(node.id) ?? 0);
    after.set(node.id, total);
    for (const input of inputsOf(node)) after.set(input, Math.max(after.get(input) ?? 0, total));
  }
  return after;
}

type LastRun = (name: string) => StepCost | undefined;

function ownTime(node: PlanNode, lastRun: LastRun): number {
  switch (node.operation.kind) {
    case 'scratch':
    case 'image':
      return 0;
    case 'run':
      return lastRun(node.title)?.durationMs ?? UNKNOWN_RUN_MS;
    default:
      return lastRun(node.title)?.durationMs ?? UNKNOWN_OTHER_MS;
  }
}

/** A RUN that was never measured counts with so many bytes. */
const UNKNOWN_RUN_MEMORY = 256 * 1024 ** 2;

/** Bytes that a step is expected to need: what it needed at its peak last time. What is not a RUN works in the builder. */
export function expectedMemory(node: PlanNode, lastRun: LastRun): number {
  return node.operation.kind === 'run' ? (lastRun(node.title)?.peakMemory ?? UNKNOWN_RUN_MEMORY) : 0;
}

/** Everything a node waits for: its parent and what it reads beside it. */
export function inputsOf(node: PlanNode): NodeId[] {
  const parent = 'parent' in node.operation ? [node.operation.parent] : [];
  return [...new Set([...parent, ...node.dependencies])];
}
