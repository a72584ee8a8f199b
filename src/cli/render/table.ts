const LEAST_WIDTH = 10;
const PADDING = 3;

/**
 * Rows of cells as Docker prints them (Go's tabwriter with a least width of 10 and 3 blanks of padding): every
 * column but the last is padded, so an empty last cell leaves blanks at the end of its line. Each line ends with a
 * line feed. Cells come from images, whose names and commands nobody vouches for: the caller makes them printable.
 */
export function renderTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headers, ...rows];
  const widths = headers.map((_, column) =>
    Math.max(LEAST_WIDTH, PADDING + Math.max(...all.map((row) => letters(row[column] ?? '')))),
  );
  return all
    .map((row) =>
      headers
        .map((_, column) => {
          const cell = row[column] ?? '';
          return column === headers.length - 1 ? cell : cell + ' '.repeat(widths[column]! - letters(cell));
        })
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Tabwriter counts code points. */
function letters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
