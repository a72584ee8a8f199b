import type { Graph, GraphNode } from './graph.ts';

/** All in pixels. */
const LETTER = 6.7;
const MAX_LETTERS = 46;
const BOX_HEIGHT = 38;
const ROW_HEIGHT = 62;
const COLUMN_GAP = 44;
const LANE_PADDING = 14;
const HEADER = 34;
const MARGIN = 16;
const LEGEND = 28;

const COLOURS = {
  done: { stroke: '#1f6feb', fill: '#eaf2ff' },
  cached: { stroke: '#2da44e', fill: '#e9f7ee' },
  failed: { stroke: '#cf222e', fill: '#ffeef0' },
  canceled: { stroke: '#8c959f', fill: '#f3f4f6' },
  unknown: { stroke: '#8c959f', fill: '#ffffff' },
} as const;
const CRITICAL = '#d4700a';

interface Box {
  node: GraphNode;
  lane: number;
  x: number;
  y: number;
  width: number;
}

interface Lane {
  title: string;
  x: number;
  width: number;
  nodes: GraphNode[];
}

/**
 * A graph as an SVG document. Each stage is a lane, images that are only read from share one on the left; a step
 * stands one row below the lowest of those that it waits for, so that every arrow leads down.
 */
export function drawSvg(graph: Graph): string {
  const lanes = lanesOf(graph);
  const rows = rowsOf(graph);
  const boxes = new Map<string, Box>();
  for (const [lane, { nodes, x, width }] of lanes.entries()) {
    for (const node of nodes) {
      const y = MARGIN + HEADER + rows.get(node.id)! * ROW_HEIGHT;
      boxes.set(node.id, { node, lane, x: x + LANE_PADDING, y, width: width - 2 * LANE_PADDING });
    }
  }
  const last = lanes.at(-1);
  const width = Math.max(420, (last === undefined ? 0 : last.x + last.width) + MARGIN);
  const laneHeight = HEADER + (Math.max(0, ...rows.values()) + 1) * ROW_HEIGHT;
  const height = MARGIN + laneHeight + LEGEND + MARGIN;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="11">`,
    `<defs>${marker('arrow', '#57606a')}${marker('critical', CRITICAL)}</defs>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...lanes.map((lane) => drawLane(lane, laneHeight)),
    ...drawEdges(graph, boxes),
    ...[...boxes.values()].map(drawBox),
    drawLegend(graph, MARGIN + laneHeight + LEGEND),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

function lanesOf({ stages, nodes }: Graph): Lane[] {
  const outside = nodes.filter(({ stage }) => stage === undefined);
  const groups = [
    ...(outside.length === 0 ? [] : [{ title: 'images', nodes: outside }]),
    ...stages.map(({ name, isTarget }, index) => ({
      title: isTarget ? `${name} (target)` : name,
      nodes: nodes.filter(({ stage }) => stage === index),
    })),
  ];
  let x = MARGIN;
  return groups.map(({ title, nodes: own }) => {
    const letters = Math.max(title.length, 10, ...own.map((node) => clip(node.title).length));
    const width = Math.min(letters, MAX_LETTERS) * LETTER + 20 + 2 * LANE_PADDING;
    const lane = { title, x, width, nodes: own };
    x += width + COLUMN_GAP;
    return lane;
  });
}

/** Rows by what each node waits for; images that are only read from stand below one another. */
function rowsOf({ nodes, edges }: Graph): Map<string, number> {
  const rows = new Map<string, number>();
  let images = 0;
  for (const { id, stage } of nodes) {
    const inputs = edges.filter(({ to }) => to === id).map(({ from }) => rows.get(from)!);
    rows.set(id, stage === undefined ? images++ : Math.max(-1, ...inputs) + 1);
  }
  // An image must not stand below what reads it.
  for (let moved = true; moved; ) {
    moved = false;
    for (const { from, to } of edges) {
      if (rows.get(to)! > rows.get(from)!) continue;
      rows.set(to, rows.get(from)! + 1);
      moved = true;
    }
  }
  return rows;
}

function drawLane({ title, x, width }: Lane, height: number): string {
  return [
    `<rect x="${round(x)}" y="${MARGIN}" width="${round(width)}" height="${height}" rx="8" fill="#f6f8fa" stroke="#d0d7de"/>`,
    `<text x="${round(x + LANE_PADDING)}" y="${MARGIN + 20}" font-weight="bold" fill="#24292f">${escaped(clip(title))}</text>`,
  ].join('\n');
}

function drawBox({ node, x, y, width }: Box): string {
  const { stroke, fill } = COLOURS[node.outcome ?? 'unknown'];
  const line = node.critical ? `stroke="${CRITICAL}" stroke-width="2.5"` : `stroke="${stroke}"`;
  const middle = y + (node.note === '' ? 23 : 16);
  return [
    `<g><title>${escaped(node.note === '' ? node.title : `${node.title} (${node.note})`)}</title>`,
    `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${BOX_HEIGHT}" rx="5" fill="${fill}" ${line}/>`,
    `<text x="${round(x + 10)}" y="${round(middle)}" fill="#24292f">${escaped(clip(node.title))}</text>`,
    ...(node.note === ''
      ? []
      : [
          `<text x="${round(x + 10)}" y="${round(y + 30)}" fill="#57606a" font-size="10">${escaped(node.note)}</text>`,
        ]),
    '</g>',
  ].join('\n');
}

/** The longest path comes last, on top of the others. */
function drawEdges({ edges }: Graph, boxes: ReadonlyMap<string, Box>): string[] {
  let crossing = 0;
  const drawn = edges.map((edge) => {
    const [from, to] = [boxes.get(edge.from)!, boxes.get(edge.to)!];
    const path = from.lane === to.lane ? downwards(from, to) : across(from, to, crossing++);
    return { edge, text: drawEdge(path, edge) };
  });
  return drawn.toSorted((a, b) => Number(a.edge.critical) - Number(b.edge.critical)).map(({ text }) => text);
}

function downwards(from: Box, to: Box): string {
  const x = from.x + Math.min(from.width, to.width) / 2;
  return `M${round(x)} ${from.y + BOX_HEIGHT} V${to.y - 1}`;
}

/** To another lane: between the lanes and between the rows, so that no box is crossed. `index` spreads the lines. */
function across(from: Box, to: Box, index: number): string {
  const out = from.x + from.width;
  const [first, last] = [out + LANE_PADDING + 7 + (index % 6) * 5, to.x - LANE_PADDING - 7 - (index % 6) * 5];
  const start = `M${round(out)} ${from.y + BOX_HEIGHT / 2} H${round(first)}`;
  const end = `V${to.y + BOX_HEIGHT / 2} H${round(to.x - 1)}`;
  if (to.lane === from.lane + 1) return `${start} ${end}`;
  const row = to.y - (ROW_HEIGHT - BOX_HEIGHT) / 2 + ((index % 5) - 2) * 4;
  return `${start} V${row} H${round(last)} ${end}`;
}

function drawEdge(path: string, { reads, critical }: { reads: boolean; critical: boolean }): string {
  const style = [
    critical ? `stroke="${CRITICAL}" stroke-width="2.5"` : 'stroke="#57606a"',
    ...(reads ? ['stroke-dasharray="5 3"'] : []),
  ];
  return `<path d="${path}" fill="none" stroke-linejoin="round" ${style.join(' ')} marker-end="url(#${critical ? 'critical' : 'arrow'})"/>`;
}

function drawLegend({ nodes }: Graph, y: number): string {
  const outcomes = (['done', 'cached', 'failed', 'canceled'] as const).filter((outcome) =>
    nodes.some((node) => node.outcome === outcome),
  );
  const entries: { text: string; stroke: string; fill: string }[] = outcomes.map((outcome) => ({
    text: outcome === 'done' ? 'ran' : outcome,
    ...COLOURS[outcome],
  }));
  if (nodes.some(({ critical }) => critical))
    entries.push({ text: 'longest path', stroke: CRITICAL, fill: '#ffffff' });
  let x = MARGIN;
  const parts = entries.map(({ text, stroke, fill }) => {
    const part = `<rect x="${round(x)}" y="${y - 10}" width="14" height="12" rx="3" fill="${fill}" stroke="${stroke}" stroke-width="2"/><text x="${round(x + 20)}" y="${y}" fill="#57606a">${text}</text>`;
    x += 20 + text.length * LETTER + 18;
    return part;
  });
  return parts.join('\n');
}

function marker(id: string, colour: string): string {
  return `<marker id="${id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 Z" fill="${colour}"/></marker>`;
}

function clip(text: string): string {
  const letters = Array.from(text);
  return letters.length <= MAX_LETTERS ? text : `${letters.slice(0, MAX_LETTERS - 1).join('')}…`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
