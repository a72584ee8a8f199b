import type { NodeId, Plan, PlanNode } from '../types.ts';

/** What is known of a step from an earlier build. */
export interface StepMeasure {
  /** How it came out there; absent where that build did not come to it. */
  outcome?: 'done' | 'cached' | 'failed' | 'canceled';
  /** Milliseconds that its command took when it last ran. */
  ms?: number;
}

/** By node. */
export type Measures = ReadonlyMap<NodeId, StepMeasure>;

/** A plan as the drawings show it. */
export interface Graph {
  stages: GraphStage[];
  nodes: GraphNode[];
  edges: GraphEdge[];
}

export interface GraphStage {
  name: string;
  isTarget: boolean;
}

export interface GraphNode {
  id: NodeId;
  /** Index into `Graph.stages`; undefined for an image that is only copied or mounted from. */
  stage: number | undefined;
  /** One line, without control characters. */
  title: string;
  /** `cached, 1.2s`; empty where nothing is known. */
  note: string;
  outcome: StepMeasure['outcome'];
  critical: boolean;
}

export interface GraphEdge {
  from: NodeId;
  to: NodeId;
  /** Not the step below, but one that is copied or mounted from. */
  reads: boolean;
  critical: boolean;
}

/** Makes a plan ready for drawing; the longest path by what was measured is marked. */
export function graphOf(plan: Plan, measures: Measures = new Map()): Graph {
  const path = criticalPath(plan, measures);
  const nodes = plan.nodes.map((node): GraphNode => {
    const measure = measures.get(node.id);
    return {
      id: node.id,
      stage: isOutside(node) ? undefined : node.stage,
      title: oneLine(node.title),
      note: measureNote(measure),
      outcome: measure?.outcome,
      critical: path.includes(node.id),
    };
  });
  const edges = plan.nodes.flatMap((node) => {
    const parent = 'parent' in node.operation ? node.operation.parent : undefined;
    const inputs = new Set([...(parent === undefined ? [] : [parent]), ...node.dependencies]);
    return [...inputs].map((from): GraphEdge => {
      const at = path.indexOf(node.id);
      return { from, to: node.id, reads: from !== parent, critical: at > 0 && path[at - 1] === from };
    });
  });
  const targets = plan.targets ?? [plan.target];
  const stages = plan.stages.map(({ displayName }, index) => ({
    name: oneLine(displayName),
    isTarget: targets.includes(index),
  }));
  return { stages, nodes, edges };
}

/** The nodes on the longest path by measured times, from its start; none where nothing was measured. */
export function criticalPath(plan: Plan, measures: Measures): NodeId[] {
  const best = new Map<NodeId, { ms: number; before: NodeId | undefined }>();
  let last: NodeId | undefined;
  for (const node of plan.nodes) {
    const inputs = ['parent' in node.operation ? [node.operation.parent] : [], node.dependencies].flat();
    let before: NodeId | undefined;
    for (const input of inputs) {
      if (before === undefined || best.get(input)!.ms > best.get(before)!.ms) before = input;
    }
    const own = measures.get(node.id)?.ms ?? 0;
    best.set(node.id, { ms: own + (before === undefined ? 0 : best.get(before)!.ms), before });
    if (last === undefined || best.get(node.id)!.ms > best.get(last)!.ms) last = node.id;
  }
  if (last === undefined || best.get(last)!.ms === 0) return [];
  const path: NodeId[] = [];
  for (let at: NodeId | undefined = last; at !== undefined; at = best.get(at)!.before) path.unshift(at);
  return path;
}

/** `cached, 1.2s` */
export function measureNote(measure: StepMeasure | undefined): string {
  const { outcome, ms } = measure ?? {};
  const state = outcome === undefined || outcome === 'done' ? [] : [outcome];
  return [...state, ...(ms === undefined ? [] : [`${(ms / 1000).toFixed(1)}s`])].join(', ');
}

/** An image that is only copied or mounted from stands in no stage. */
export function isOutside(node: PlanNode): boolean {
  return node.range === undefined && (node.operation.kind === 'image' || node.operation.kind === 'scratch');
}

/** Titles and paths may hold anything, line feeds and terminal escapes among it. */
export function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) =>
    character === '\n' ? '⏎' : character === '\t' ? ' ' : '�',
  );
}
