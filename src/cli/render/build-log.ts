import { LogLines } from '../../progress/log-lines.ts';
import { safeColouredText, safeText } from '../../progress/safe-text.ts';
import { type RecordedStep, stepName } from '../../record/build-record.ts';
import type { LogChunk } from '../../record/log-file.ts';

/** A step's whole output below its name, each line with the seconds since the first; safe to print on a terminal. */
export function renderStepLog(step: RecordedStep, number: number, chunks: readonly LogChunk[]): string {
  const state = step.outcome === undefined ? 'not reached' : step.outcome;
  const out = [`#${number} ${safeText(stepName(step))} (${state})`];
  const first = chunks[0]?.time ?? 0;
  const lines = { stdout: new LogLines(), stderr: new LogLines() };
  const print = (all: ReturnType<LogLines['push']>): void => {
    for (const { time, text, continues } of all) {
      // A very long line comes in pieces.
      if (continues) out.push(`${out.pop()}${safeColouredText(text)}`);
      else out.push(`#${number} ${((time - first) / 1000).toFixed(3)} ${safeColouredText(text)}`);
    }
  };
  for (const { stream, data, time } of chunks) print(lines[stream].push(data, time));
  print([...lines.stdout.flush(), ...lines.stderr.flush()]);
  return `${out.join('\n')}\n`;
}
