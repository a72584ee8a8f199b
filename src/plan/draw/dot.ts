import type { Graph, GraphNode } from './graph.ts';

const FILLS = { done: '#eaf2ff', cached: '#e9f7ee', failed: '#ffeef0', canceled: '#f3f4f6' } as const;
const CRITICAL = '#d4700a';

/** A graph in the language of Graphviz; ends with a line feed. */
export function drawDot({ stages, nodes, edges }: Graph): string {
  const lines = [
    'digraph build {',
    '  rankdir=TB;',
    '  node [shape=box, style=rounded, fontname="monospace", fontsize=10];',
    '  edge [color="#8c959f"];',
  ];
  stages.forEach(({ name, isTarget }, index) => {
    lines.push(`  subgraph cluster_${index} {`);
    lines.push(
      `    label=${quote(isTarget ? `${name} (target)` : name)}; fontname="monospace"; style=rounded;`,
    );
    for (const node of nodes) if (node.stage === index) lines.push(`    ${statement(node)}`);
    lines.push('  }');
  });
  for (const node of nodes) if (node.stage === undefined) lines.push(`  ${statement(node)}`);
  for (const { from, to, reads, critical } of edges) {
    const attributes = [
      ...(reads ? ['style=dashed'] : []),
      ...(critical ? [`color="${CRITICAL}"`, 'penwidth=2'] : []),
    ];
    lines.push(`  ${from} -> ${to}${attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`};`);
  }
  return `${lines.join('\n')}\n}\n`;
}

function statement({ id, title, note, outcome, critical }: GraphNode): string {
  const attributes = [
    `label=${quote(note === '' ? title : `${title}\n${note}`)}`,
    ...(outcome === undefined ? [] : [`style="rounded,filled", fillcolor="${FILLS[outcome]}"`]),
    ...(critical ? [`color="${CRITICAL}"`, 'penwidth=2'] : []),
  ];
  return `${id} [${attributes.join(', ')}];`;
}

/** A string in double quotes; a backslash would begin an escape of Graphviz's own. */
function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
