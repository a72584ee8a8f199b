import type { Graph, GraphNode } from './graph.ts';

/** A graph as a Mermaid flowchart, as GitHub and GitLab draw it in Markdown; ends with a line feed. */
export function drawMermaid({ stages, nodes, edges }: Graph): string {
  const lines = ['flowchart TB'];
  stages.forEach(({ name, isTarget }, index) => {
    lines.push(`  subgraph s${index}["${entities(isTarget ? `${name} (target)` : name)}"]`);
    for (const node of nodes) if (node.stage === index) lines.push(`    ${statement(node)}`);
    lines.push('  end');
  });
  for (const node of nodes) if (node.stage === undefined) lines.push(`  ${statement(node)}`);
  for (const { from, to, reads, critical } of edges) {
    const arrow = critical ? '==>' : reads ? '-.->' : '-->';
    lines.push(`  ${from} ${arrow} ${to}`);
  }
  lines.push(...classes(nodes));
  return `${lines.join('\n')}\n`;
}

function statement({ id, title, note }: GraphNode): string {
  return `${id}["${entities(title)}${note === '' ? '' : `<br/>${entities(note)}`}"]`;
}

const STYLES = {
  done: 'stroke:#1f6feb',
  cached: 'stroke:#2da44e',
  failed: 'stroke:#cf222e',
  canceled: 'stroke:#8c959f',
  critical: 'stroke-width:3px,stroke:#d4700a',
} as const;

function classes(nodes: readonly GraphNode[]): string[] {
  return Object.entries(STYLES).flatMap(([name, style]) => {
    const own = nodes.filter(({ outcome, critical }) => (critical ? 'critical' : outcome) === name);
    if (own.length === 0) return [];
    return [`  classDef ${name} ${style}`, `  class ${own.map(({ id }) => id).join(',')} ${name}`];
  });
}

/** Mermaid takes HTML's entities with a # in place of &. */
function entities(text: string): string {
  return text.replace(/[^\w\s./:=,@+~[\]{}()*?!%^|$-]/gu, (character) => `#${character.codePointAt(0)};`);
}
