import { safeText } from '../../progress/safe-text.ts';
import { type BuildRecord, stepName } from '../../record/build-record.ts';
import { type Comparison, type StepSide, summary } from '../../record/compare.ts';
import { causeText } from './explanation.ts';
import { createdSince, humanSize } from './human.ts';
import { renderTable } from './table.ts';

/** The table of `builds ls`. `now` in milliseconds since 1970. */
export function renderBuilds(builds: readonly BuildRecord[], now: number): string {
  const rows = builds.map((record) => {
    const { ms, ran, cached } = summary(record);
    return [
      record.id,
      safeText(record.tags[0] ?? record.subject.file),
      record.state,
      createdSince(new Date(record.started).toISOString(), now),
      seconds(ms),
      `${ran} ran, ${cached} cached`,
    ];
  });
  return renderTable(['BUILD ID', 'NAME', 'STATUS', 'CREATED', 'DURATION', 'STEPS'], rows);
}

/** What `builds show` says of one build. */
export function renderBuild(record: BuildRecord): string {
  const { ms, ran, cached, size } = summary(record);
  const facts: [string, string | undefined][] = [
    ['Build', record.id],
    ['Status', record.state],
    ['Error', record.error?.message],
    ['Dockerfile', record.subject.file],
    ['Context', record.subject.context],
    ['Target', record.subject.target],
    ['Platform', record.subject.platform],
    ['Tags', record.tags.length === 0 ? undefined : record.tags.join(', ')],
    ['Image', record.imageId],
    ['Started', new Date(record.started).toISOString()],
    ['Duration', seconds(ms)],
    ['Steps', `${ran} ran, ${cached} cached, ${humanSize(size)}`],
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`${`${name}:`.padEnd(12)}${safeText(value)}\n`],
  );
  const rows = record.steps
    .filter(({ kind }) => kind !== 'scratch')
    .map(({ outcome, started, ended, size: bytes, logBytes, ...step }) => [
      outcome ?? 'not reached',
      started === undefined || ended === undefined ? '-' : seconds(ended - started),
      bytes === undefined ? '-' : humanSize(bytes),
      logBytes === undefined ? '-' : humanSize(logBytes),
      safeText(stepName(step)),
    ]);
  return `${lines.join('')}\n${renderTable(['RESULT', 'TIME', 'SIZE', 'LOG', 'STEP'], rows)}`;
}

/** Two builds side by side. */
export function renderComparison({ before, after, steps }: Comparison): string {
  const rows = [
    ...steps.map((step) => [
      ...sides(step.before, step.after),
      difference(step.before?.ms, step.after?.ms),
      safeText(step.step),
    ]),
    [seconds(before.ms), seconds(after.ms), difference(before.ms, after.ms), 'all'],
  ];
  const table = renderTable([before.build, after.build, 'CHANGE', 'STEP'], rows);
  const reasons = steps
    .filter(({ causes }) => causes.length > 0)
    .map(
      ({ step, causes }) =>
        `${safeText(step)}\n${causes.map((cause) => `  ${safeText(causeText(cause))}\n`).join('')}`,
    );
  const sizes = `Size of the layers: ${humanSize(before.size)} -> ${humanSize(after.size)}\n`;
  return [table, sizes, ...reasons].join('\n');
}

function sides(...all: (StepSide | undefined)[]): string[] {
  return all.map((side) => {
    if (side === undefined) return '-';
    return side.ms === undefined ? side.outcome : seconds(side.ms);
  });
}

function difference(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined) return '';
  const change = after - before;
  return `${change < 0 ? '-' : '+'}${seconds(Math.abs(change))}`;
}

/** `0.3s` */
function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}
