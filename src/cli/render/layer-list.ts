import type { LookedLayer, LookedLayers } from '../../engine/look/image-layers.ts';
import { safeText } from '../../progress/safe-text.ts';
import { humanSize } from './human.ts';
import { shortDigest } from './image-list.ts';
import type { ListKind } from './list-format.ts';

const CREATED_BY_LETTERS = 45;

/** The placeholders of `image layers --format`. */
export function layerColumns({ noTrunc }: { noTrunc: boolean }): ListKind<LookedLayer> {
  return {
    typeName: '*layerContext',
    table:
      '{{.Number}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Added}}\t{{.Changed}}\t{{.Removed}}\t{{.Wasted}}\t{{.DiffID}}',
    columns: [
      { name: 'Number', header: 'LAYER', value: ({ number }) => String(number) },
      { name: 'CreatedBy', header: 'CREATED BY', value: ({ createdBy }) => instruction(createdBy, noTrunc) },
      { name: 'Size', header: 'SIZE', value: ({ size }) => humanSize(size) },
      { name: 'Added', header: 'ADDED', value: ({ added }) => String(added) },
      { name: 'Changed', header: 'CHANGED', value: ({ changed }) => String(changed) },
      { name: 'Removed', header: 'REMOVED', value: ({ removed }) => String(removed) },
      { name: 'Wasted', header: 'WASTED', value: ({ wasted }) => humanSize(wasted) },
      {
        name: 'DiffID',
        header: 'DIFF ID',
        value: ({ diffId }) => (noTrunc ? diffId : shortDigest(diffId)),
      },
    ],
  };
}

function instruction(text: string, noTrunc: boolean): string {
  const line = safeText(text.replaceAll('\t', ' '));
  return noTrunc || line.length <= CREATED_BY_LETTERS ? line : `${line.slice(0, CREATED_BY_LETTERS - 1)}…`;
}

/** What stands under the table: how much of the image is wasted, and by which paths. */
export function wasteText({ efficiency, wasted, total, paths }: LookedLayers, most: number): string {
  const percent = (100 * efficiency).toFixed(1);
  const head = `\nEfficiency: ${percent}% (${humanSize(wasted)} of ${humanSize(total)} are replaced or removed by later layers)\n`;
  const shown = paths.slice(0, most);
  const lines = shown.map(
    ({ path, bytes, copies }) =>
      `  ${humanSize(bytes).padStart(8)}  ${path}${copies > 1 ? ` (${copies} copies)` : ''}\n`,
  );
  const rest = paths.length - shown.length;
  return `${head}${lines.join('')}${rest > 0 && shown.length > 0 ? `  and ${rest} more\n` : ''}`;
}
