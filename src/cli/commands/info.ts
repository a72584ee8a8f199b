import { release } from 'node:os';
import { listImages } from '../../store/images.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';
import { programVersion } from '../program-version.ts';

/** `slipway info` */
export const info = defineCommand({
  usage: '',
  flags: {},
  args: { least: 0, most: 0 },
  async run(context) {
    const images = withExistingStore(context.root, (store) =>
      store === undefined ? undefined : listImages(store).length,
    );
    const rows: [string, string][] = [
      ['Version', programVersion()],
      ['Root Dir', context.root],
      ['Images', images === undefined ? '0 (there is no store yet)' : String(images)],
      ...(await machineRows(context)),
      ['Kernel Version', release()],
      ['Node Version', process.version],
    ];
    context.stdout.write(rows.map(([name, value]) => `${name}: ${value}\n`).join(''));
    return 0;
  },
});

/** How builds run here: one line each for isolation, runtime and snapshots, with the reason. */
async function machineRows({ root, env }: CommandContext): Promise<[string, string][]> {
  const { describeMachine } = await import('../../engine/describe-machine.ts');
  const { isolation, worker } = await describeMachine(root, env);
  const advice: [string, string][] = isolation.advice ? [['Isolation Advice', isolation.advice]] : [];
  if (worker instanceof Error) {
    return [
      ['Isolation', `cannot be had: ${worker.message}`],
      ...(worker.hint === undefined
        ? advice
        : [['Isolation Advice', worker.hint] satisfies [string, string]]),
    ];
  }
  const hidden =
    isolation.tier === 'none' || worker.ownProc
      ? ''
      : '; a part of /proc is hidden here, so containers get the outer one';
  return [
    ['Storage Driver', `${worker.snapshotter} (${worker.snapshotterReason})`],
    ['Isolation', `${isolation.reason}${hidden}`],
    ...advice,
    ['Runtime', `${worker.runtime} (${worker.runtimeReason})`],
  ];
}
