import { goQuote } from '../../dockerfile/go-text.ts';
import type { FlagDefinition, FlagTable } from './definition.ts';

const SLOP = 5;
const LEAST_WIDTH = 24;

/**
 * The table of options in help, in pflag's alignment: sorted by name, texts wrapped to `columns` and indented
 * behind the longest flag. Ends with a line feed unless empty. Hidden and refused flags are left out.
 */
export function flagUsages(table: FlagTable, columns: number): string {
  const rows = Object.entries(table)
    .filter(([, flag]) => flag.hidden !== true && flag.refused === undefined && flag.deprecated === undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, flag]) => row(name, flag));
  const widest = Math.max(0, ...rows.map(({ left }) => left.length));
  return rows
    .map(({ left, text }) => `${left.padEnd(widest)}   ${wrap(text, widest + 3, columns)}\n`)
    .join('');
}

function row(name: string, flag: FlagDefinition): { left: string; text: string } {
  const { valueName, text } = describe(flag);
  const head = flag.short === undefined ? `      --${name}` : `  -${flag.short}, --${name}`;
  let left = valueName === '' ? head : `${head} ${valueName}`;
  if (flag.alone !== undefined)
    left += flag.type === 'string' ? `[=${goQuote(flag.alone)}]` : `[=${flag.alone}]`;
  return { left, text: text + defaultText(flag) };
}

function describe(flag: FlagDefinition): { valueName: string; text: string } {
  const quoted = /`([^`]*)`/.exec(flag.usage);
  const text = flag.usage.replace(/`([^`]*)`/, '$1');
  const byType = flag.type === 'bool' ? '' : flag.type === 'list' ? 'list' : flag.type;
  return { valueName: flag.valueName ?? quoted?.[1] ?? byType, text };
}

function defaultText(flag: FlagDefinition): string {
  const value = flag.default;
  if (value === undefined || value === '' || value === 'false' || value === '0') return '';
  return ` (default ${flag.type === 'string' && flag.valueName === undefined ? goQuote(value) : value})`;
}

/**
 * Wraps at blanks so that no line but an unbreakable one is longer than `columns`; a last line that is up to five
 * columns longer stays whole, so that no short word stands alone.
 */
function wrap(text: string, indent: number, columns: number): string {
  let width = columns - indent;
  let margin = indent;
  let out = '';
  if (width < LEAST_WIDTH) {
    margin = 16;
    width = columns - margin;
    out = `\n${' '.repeat(margin)}`;
  }
  if (width < LEAST_WIDTH) return text.replaceAll('\n', out);
  const lines: string[] = [];
  let rest = text;
  do {
    const [line, after] = cut(rest, width - SLOP);
    lines.push(line);
    rest = after;
  } while (rest !== '');
  return out + lines.join('\n').replaceAll('\n', `\n${' '.repeat(margin)}`);
}

function cut(text: string, width: number): [line: string, rest: string] {
  if (width + SLOP > text.length) return [text, ''];
  const head = text.slice(0, width);
  const blank = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\t'), head.lastIndexOf('\n'));
  if (blank <= 0) return [text, ''];
  const newline = head.lastIndexOf('\n');
  const at = newline > 0 && newline < blank ? newline : blank;
  return [text.slice(0, at), text.slice(at + 1)];
}
