/** What one benchmark has found: measured values, bounds that they are held to, and who could not take part. */
export interface Report {
  title: string;
  values: { name: string; value: number; unit: 'ms' | 'ms per step' | 'MB/s' | 'MiB' }[];
  bounds: Bound[];
  missing: { name: string; reason: string }[];
}

/** A ratio of two values of the same run; it should be at most `limit`. */
export interface Bound {
  text: string;
  ratio: number;
  limit: number;
}

/** A bound between two medians, or none when one of the two was not measured. */
export function bound(
  times: ReadonlyMap<string, number>,
  names: { of: string; to: string },
  limit: number,
): Bound[] {
  const [of, to] = [times.get(names.of), times.get(names.to)];
  if (of === undefined || to === undefined) return [];
  return [{ text: `${names.of} / ${names.to}`, ratio: of / to, limit }];
}

export function holds(report: Report): boolean {
  return report.bounds.every(({ ratio, limit }) => ratio <= limit);
}

/** The report as aligned lines of text. */
export function reportText(report: Report): string {
  const names = [...report.values, ...report.missing].map(({ name }) => name);
  const texts = report.bounds.map(({ text }) => text);
  const width = Math.max(...[...names, ...texts].map((text) => text.length));
  return [
    report.title,
    ...report.values.map(
      ({ name, value, unit }) => `  ${name.padEnd(width)}  ${number(value).padStart(9)} ${unit}`,
    ),
    ...report.missing.map(({ name, reason }) => `  ${name.padEnd(width)}    missing (${reason})`),
    ...report.bounds.map(
      ({ text, ratio, limit }) =>
        `  ${text.padEnd(width)}  ${ratio.toFixed(2).padStart(9)} of at most ${limit.toFixed(2)}: ${ratio <= limit ? 'held' : 'MISSED'}`,
    ),
    '',
  ].join('\n');
}

function number(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 1000 ? 1 : 0);
}
