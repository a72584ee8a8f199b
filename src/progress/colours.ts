import type { LineStyle } from './tty-frame.ts';

const USUAL: Readonly<Record<LineStyle, string>> = {
  plain: '',
  done: '\x1b[34m',
  error: '\x1b[31m',
  canceled: '\x1b[33m',
  log: '\x1b[2m',
};
const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
/** BuildKit's words for what is coloured. Warnings have no colour here. */
const STYLES: Readonly<Record<string, LineStyle>> = { run: 'done', error: 'error', cancel: 'canceled' };

/**
 * The sequences that begin a line of each style. `setting` is BUILDKIT_COLORS: `run=cyan:error=255,0,0:cancel=default`,
 * names of colours (also `light-…`) or red, green and blue from 0 to 255. What makes no sense in it is left out.
 */
export function lineColours(setting: string | undefined): Readonly<Record<LineStyle, string>> {
  const colours = { ...USUAL };
  for (const field of (setting ?? '').split(':')) {
    const [word = '', value = ''] = field.split('=');
    const style = Object.hasOwn(STYLES, word.trim()) ? STYLES[word.trim()] : undefined;
    const colour = colourOf(value.trim().toLowerCase());
    if (style !== undefined && colour !== undefined) colours[style] = colour;
  }
  return colours;
}

function colourOf(text: string): string | undefined {
  if (text === 'default') return '';
  const light = text.startsWith('light-');
  const index = NAMES.indexOf(light ? text.slice('light-'.length) : text);
  if (index >= 0) return `\x1b[${(light ? 90 : 30) + index}m`;
  const parts = text.split(',').map((part) => (/^\d{1,3}$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (parts.length !== 3 || !parts.every((part) => part <= 255)) return undefined;
  return `\x1b[38;2;${parts.join(';')}m`;
}
