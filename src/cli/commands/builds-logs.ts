import { SlipwayError } from '../../errors/index.ts';
import { safeText } from '../../progress/safe-text.ts';
import { type BuildRecord, type RecordedStep, stepName } from '../../record/build-record.ts';
import { BuildHistory } from '../../record/history.ts';
import { defineCommand } from '../command.ts';
import { renderStepLog } from '../render/build-log.ts';

/** `slipway builds logs` */
export const buildsLogs = defineCommand({
  usage: '[OPTIONS] [BUILD]',
  flags: {
    raw: { type: 'bool', usage: 'Write the bytes as the steps wrote them, both streams, and nothing else' },
    step: { type: 'string', usage: 'Only the step with this number, or whose name holds this text' },
  },
  args: { least: 0, most: 1 },
  async run({ root, stdout, stderr }, { values, args }) {
    const history = new BuildHistory(root);
    const record = history.find(args[0]);
    const steps = numbered(record).filter(([number, step]) => isMeant(values.step, number, step));
    if (steps.length === 0) {
      throw new SlipwayError('not-found', `build ${record.id} has no such step: ${values.step}`, {
        code: 'STEP_NOT_FOUND',
        hint: `slipway builds show ${record.id} lists them.`,
      });
    }
    for (const [number, step] of steps) {
      const chunks = history.log(record, step);
      if (chunks === undefined) {
        const why =
          step.from === ''
            ? 'it comes from an imported cache'
            : 'the build that ran it is no longer recorded';
        stderr.write(`${safeText(stepName(step))}: ${why}\n`);
        continue;
      }
      if (values.raw) for (const { data } of chunks) stdout.write(data);
      else if (chunks.length > 0 || values.step !== '') stdout.write(renderStepLog(step, number, chunks));
    }
    return 0;
  },
});

/** Steps with the numbers by which they can be named, from 1. */
function numbered(record: BuildRecord): [number, RecordedStep][] {
  return record.steps
    .filter(({ kind }) => kind !== 'scratch')
    .map((step, index): [number, RecordedStep] => [index + 1, step]);
}

function isMeant(text: string, number: number, step: RecordedStep): boolean {
  if (text === '') return true;
  return /^\d+$/.test(text) ? number === Number(text) : stepName(step).includes(text);
}
