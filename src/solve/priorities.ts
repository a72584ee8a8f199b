import type { NodeId, Plan, PlanNode } from '../plan/types.ts';

/** Guess for a step that never ran: a RUN is usually what takes the time. */
const UNKNOWN_RUN_MS = 5000;
const UNKNOWN_OTHER_MS = 100;

/**
 * Milliseconds from the start of each node to the end of the build along the longest path through it: ready steps
 * with more still to come after them start first (DESIGN, decision 10).
 */
export function remainingTimes(
  plan: Plan,
  duration: (name: string) => number | undefined,
): Map<NodeId, number> {
  const after = new Map<NodeId, number>();
  // Nodes come after what they depend on, so that in reverse every user of a node is done before it.
  for (const node of plan.nodes.toReversed()) {
    const total = ownTime(node, duration) + (after.get(node.id) ?? 0);
    after.set(node.id, total);
    for (const input of inputsOf(node)) after.set(input, Math.max(after.get(input) ?? 0, total));
  }
  return after;
}

function ownTime(node: PlanNode, duration: (name: string) => number | undefined): number {
  switch (node.operation.kind) {
    case 'scratch':
    case 'image':
      return 0;
    case 'run':
      return duration(node.title) ?? UNKNOWN_RUN_MS;
    default:
      return duration(node.title) ?? UNKNOWN_OTHER_MS;
  }
}

/** Everything a node waits for: its parent and what it reads beside it. */
export function inputsOf(node: PlanNode): NodeId[] {
  const parent = 'parent' in node.operation ? [node.operation.parent] : [];
  return [...new Set([...parent, ...node.dependencies])];
}
