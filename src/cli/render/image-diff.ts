import type { ImageDiff } from '../../engine/look/image-diff.ts';
import { safeText } from '../../progress/safe-text.ts';
import { shortDigest } from './image-list.ts';

const MARKS = { added: 'A', changed: 'C', removed: 'D' } as const;

/** Two images side by side as text: configuration, layers, and files with the letters of `docker diff`. */
export function renderImageDiff({ config, layers, files }: ImageDiff): string {
  const values = config.map(
    ({ name, before, after }) => `  ${safeText(name)}: ${valueText(before)} → ${valueText(after)}\n`,
  );
  const digests = layers.map(
    ({ number, before, after }) => `  ${number}: ${digestText(before)} → ${digestText(after)}\n`,
  );
  const names = files.map(({ kind, path, aspects }) => {
    const what = aspects.map(({ aspect, before, after }) =>
      aspect === 'content'
        ? 'content'
        : `${aspect} ${safeText(before) || 'none'} → ${safeText(after) || 'none'}`,
    );
    return `  ${MARKS[kind]} ${path}${what.length === 0 ? '' : ` (${what.join(', ')})`}\n`;
  });
  const sections = [
    section('Configuration', values),
    section('Layers', digests),
    section('Files', names),
  ].filter(Boolean);
  return sections.length === 0 ? 'The images are equal.\n' : sections.join('\n');
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n${lines.join('')}`;
}

function valueText(value: string | undefined): string {
  return value === undefined ? 'none' : safeText(value);
}

function digestText(digest: string | undefined): string {
  return digest === undefined ? 'none' : shortDigest(digest);
}
