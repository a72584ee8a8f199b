import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { slipwayCommand } from '../support/slipway.ts';

const POD = join(import.meta.dirname, 'pod.ts');

/** Starts a command as the root of a locked-down pod (see pod.ts) does, with the store at `root`. */
export function startInPod(
  command: readonly string[],
  { root, folder, env = {} }: { root: string; folder: string; env?: Record<string, string> },
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [POD, ...command], {
    cwd: folder,
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: folder,
      NO_COLOR: '1',
      SLIPWAY_ROOT: root,
      SLIPWAY_PULL: 'never',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** The same for the command line. */
export function startSlipwayInPod(
  args: readonly string[],
  place: Parameters<typeof startInPod>[1],
): ChildProcessWithoutNullStreams {
  return startInPod(slipwayCommand(args), place);
}
