/**
 * Railroad diagrams as stand-alone SVG. A track has a width and reaches `up` above and `down` below the line on which
 * it is entered and left; `draw` gives its SVG with the line at `y`.
 */
export interface Track {
  width: number;
  up: number;
  down: number;
  draw(x: number, y: number): string;
}

const radius = 10;
const gap = 10;
const characterWidth = 7.9;
const boxHalf = 12;

/** A box: round for what is written as such, square for a rule of its own. */
export function box(label: string, kind: 'token' | 'rule'): Track {
  const width = Math.round(label.length * characterWidth) + 20;
  return {
    width,
    up: boxHalf,
    down: boxHalf,
    draw: (x, y) =>
      `<rect class="${kind}" x="${x}" y="${y - boxHalf}" width="${width}" height="${boxHalf * 2}" rx="${kind === 'token' ? boxHalf : 0}"/>` +
      `<text x="${x + width / 2}" y="${y + 4}">${escapeXml(label)}</text>`,
  };
}

/** Nothing: a plain line. */
export const skip: Track = { width: 0, up: 0, down: 0, draw: () => '' };

/** One after the other. */
export function sequence(items: readonly Track[]): Track {
  if (items.length === 0) return skip;
  if (items.length === 1) return items[0]!;
  return {
    width: items.reduce((sum, { width }) => sum + width, gap * (items.length - 1)),
    up: Math.max(...items.map(({ up }) => up)),
    down: Math.max(...items.map(({ down }) => down)),
    draw: (x, y) => {
      let at = x;
      let svg = '';
      for (const [index, item] of items.entries()) {
        if (index > 0) {
          svg += line(at, y, at + gap, y);
          at += gap;
        }
        svg += item.draw(at, y);
        at += item.width;
      }
      return svg;
    },
  };
}

/** One of several: the first on the line, the others below. */
export function choice(items: readonly Track[]): Track {
  if (items.length === 1) return items[0]!;
  const inner = Math.max(...items.map(({ width }) => width));
  const drops = [0];
  for (let at = 1; at < items.length; at++) {
    const step = Math.max(items[at - 1]!.down + gap + items[at]!.up, radius * 2);
    drops.push(drops[at - 1]! + step);
  }
  return {
    width: inner + radius * 4,
    up: items[0]!.up,
    down: drops.at(-1)! + items.at(-1)!.down,
    draw: (x, y) => {
      const left = x + radius * 2;
      const right = left + inner;
      return items
        .map((item, index) => {
          const level = y + drops[index]!;
          const own = item.draw(left, level) + line(left + item.width, level, right, level);
          if (index === 0) return line(x, y, left, y) + own + line(right, y, right + radius * 2, y);
          const rise = level - y - radius * 2;
          return (
            path(`M${x} ${y}q${radius} 0 ${radius} ${radius}v${rise}q0 ${radius} ${radius} ${radius}`) +
            own +
            path(
              `M${right} ${level}q${radius} 0 ${radius} ${-radius}v${-rise}q0 ${-radius} ${radius} ${-radius}`,
            )
          );
        })
        .join('');
    },
  };
}

/** Present or not: a line runs above. */
export function optional(item: Track): Track {
  const height = Math.max(item.up + gap, radius * 2);
  return {
    width: item.width + radius * 4,
    up: height,
    down: item.down,
    draw: (x, y) => {
      const left = x + radius * 2;
      const right = left + item.width;
      const rise = height - radius * 2;
      return (
        line(x, y, left, y) +
        item.draw(left, y) +
        line(right, y, right + radius * 2, y) +
        path(`M${x} ${y}q${radius} 0 ${radius} ${-radius}v${-rise}q0 ${-radius} ${radius} ${-radius}`) +
        line(left, y - height, right, y - height) +
        path(
          `M${right} ${y - height}q${radius} 0 ${radius} ${radius}v${rise}q0 ${radius} ${radius} ${radius}`,
        )
      );
    },
  };
}

/** Once or more often: a line runs back below, through the separator if there is one. */
export function repeated(item: Track, separator: Track = skip): Track {
  const inner = Math.max(item.width, separator.width);
  const drop = Math.max(item.down + gap + separator.up, radius * 2);
  return {
    width: inner + radius * 2,
    up: item.up,
    down: drop + separator.down,
    draw: (x, y) => {
      const left = x + radius;
      const right = left + inner;
      const level = y + drop;
      const fall = drop - radius * 2;
      return (
        line(x, y, left, y) +
        item.draw(left, y) +
        line(left + item.width, y, right + radius, y) +
        path(`M${right} ${y}q${radius} 0 ${radius} ${radius}v${fall}q0 ${radius} ${-radius} ${radius}`) +
        separator.draw(right - separator.width, level) +
        line(left, level, right - separator.width, level) +
        path(
          `M${left} ${level}q${-radius} 0 ${-radius} ${-radius}v${-fall}q0 ${-radius} ${radius} ${-radius}`,
        )
      );
    },
  };
}

/** A whole diagram, with a mark at each end. */
export function diagram(track: Track): string {
  const margin = 10;
  const x = margin + 20;
  const y = margin + track.up;
  const width = Math.ceil(track.width + (margin + 20) * 2);
  const height = Math.ceil(track.up + track.down + margin * 2);
  const end = x + track.width;
  const body =
    path(`M${margin} ${y - 8}v16m6 -16v16`) +
    line(margin + 6, y, x, y) +
    track.draw(x, y) +
    line(end, y, end + 14, y) +
    path(`M${end + 14} ${y - 8}v16m6 -16v16`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>.page{fill:#fff;stroke:none}path{fill:none;stroke:#333;stroke-width:1.5}rect{stroke:#333;stroke-width:1.5}.token{fill:#e8f0d8}.rule{fill:#dce6f5}text{font:13px monospace;text-anchor:middle;fill:#111}</style>
<rect class="page" width="${width}" height="${height}"/>
${body.replaceAll('><', '>\n<')}
</svg>
`;
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return x1 === x2 && y1 === y2 ? '' : path(`M${x1} ${y1}L${x2} ${y2}`);
}

function path(data: string): string {
  return `<path d="${data}"/>`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
