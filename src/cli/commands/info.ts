import { availableParallelism, hostname, machine, platform, release, totalmem } from 'node:os';
import { listImages } from '../../store/images.ts';
import { parseFormat, render, structFromJson } from '../../template/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';
import { programVersion } from '../program-version.ts';
import { documentFormatFlag } from '../render/list-format.ts';

/** `slipway info` */
export const info = defineCommand({
  usage: '[OPTIONS]',
  flags: documentFormatFlag,
  args: { least: 0, most: 0 },
  async run(context, { values: { format } }) {
    if (format !== '') {
      const template = parseFormat(format === 'json' ? '{{json .}}' : format);
      const document = structFromJson('system.dockerInfo', await infoDocument(context));
      context.stdout.write(`${render(template, document)}\n`);
      return 0;
    }
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

/** What templates see, under the names of Docker's document where it has one. */
async function infoDocument({ root, env }: CommandContext): Promise<Record<string, unknown>> {
  const images = withExistingStore(root, (store) => (store === undefined ? 0 : listImages(store).length));
  const { describeMachine } = await import('../../engine/describe-machine.ts');
  const { isolation, worker } = await describeMachine(root, env);
  const known = worker instanceof Error ? undefined : worker;
  return {
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: images,
    Driver: known?.snapshotter ?? '',
    DriverReason: known?.snapshotterReason ?? '',
    Isolation: isolation.tier,
    IsolationReason: worker instanceof Error ? worker.message : isolation.reason,
    DefaultRuntime: known?.runtime ?? '',
    RuntimeReason: known?.runtimeReason ?? '',
    SystemTime: new Date().toISOString(),
    KernelVersion: release(),
    OSType: platform(),
    Architecture: machine(),
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    DockerRootDir: root,
    Name: hostname(),
    ServerVersion: programVersion(),
    NodeVersion: process.version,
  };
}

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
