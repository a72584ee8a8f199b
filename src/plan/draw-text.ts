import { criticalPath, isOutside, type Measures, measureNote, oneLine } from './draw/graph.ts';
import type { FileSource, Plan, PlanNode, PlannedStage } from './types.ts';

/**
 * Draws a plan as text: the stages in the order of the file, their steps from the base down, and behind each step
 * what it reads from elsewhere. With measures of an earlier build each step has its own in brackets, and `*` where it
 * is on the longest path. The same plan always gives the same text; it ends with a line feed.
 */
export function drawPlan(plan: Plan, measures: Measures = new Map()): string {
  const path = new Set(criticalPath(plan, measures));
  const note = ({ id }: PlanNode): string => {
    const text = [path.has(id) ? '*' : '', measureNote(measures.get(id))].filter(Boolean).join(' ');
    return text === '' ? '' : ` (${text})`;
  };
  const nodes = new Map(plan.nodes.map((node) => [node.id, node]));
  // A stage without steps has the result of its base, which made it.
  const results = new Map(plan.stages.toReversed().map((stage) => [stage.result, stage]));
  const lines: string[] = [];
  plan.stages.forEach((stage, index) => {
    if (lines.length > 0) lines.push('');
    lines.push(`${stage.displayName}${index === plan.target ? ' (target)' : ''}`);
    const own = plan.nodes.filter((node) => node.stage === index && !isOutside(node));
    const parent = stage.base === undefined ? undefined : plan.stages[stage.base];
    const rows = [
      ...(parent !== undefined ? [`from ${parent.displayName}`] : []),
      ...own.map((node) => [
        `${node.id} ${oneLine(node.title)}${note(node)}`,
        ...arrows(node, { nodes, results }),
      ]),
    ];
    rows.forEach((row, position) => {
      const [first, ...rest] = typeof row === 'string' ? [row] : row;
      const isLast = position === rows.length - 1;
      lines.push(`${isLast ? '└─' : '├─'} ${first}`);
      for (const text of rest) lines.push(`${isLast ? '  ' : '│ '}    ${text}`);
    });
  });
  return `${lines.join('\n')}\n`;
}

interface Names {
  nodes: ReadonlyMap<string, PlanNode>;
  results: ReadonlyMap<string, PlannedStage>;
}

function arrows(node: PlanNode, names: Names): string[] {
  const { operation } = node;
  if (operation.kind === 'copy') {
    const { from, sources, destination } = operation;
    if (from.kind === 'context' && from.name === undefined) return [];
    return [`◀─ ${describeSource(from, names)}: ${sources.map(oneLine).join(' ')} → ${oneLine(destination)}`];
  }
  if (operation.kind !== 'run') return [];
  return operation.mounts.flatMap((mount) =>
    (mount.type === 'bind' || mount.type === 'cache') && mount.from !== undefined
      ? [`◀─ ${describeSource(mount.from, names)}: ${oneLine(mount.source)} at ${oneLine(mount.target)}`]
      : [],
  );
}

function describeSource(source: FileSource, { nodes, results }: Names): string {
  if (source.kind === 'context')
    return source.name === undefined ? 'build context' : `context ${source.name}`;
  const stage = results.get(source.node);
  if (stage !== undefined) return stage.displayName;
  const node = nodes.get(source.node);
  if (node?.operation.kind === 'image') return `image ${node.operation.reference}`;
  return node?.operation.kind === 'scratch' ? 'scratch' : source.node;
}
