import { mkdirSync, openSync, rmSync } from 'node:fs';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { cgroupParent, removeCgroups } from '../../runtime/cgroup-parent.ts';
import type { SelectedRuntime } from '../../runtime/select-runtime.ts';
import { activePath, lockPath } from '../../store/layout.ts';
import { MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../sys/constants.ts';
import { loadSys } from '../../sys/linux.ts';
import type { Sys } from '../../sys/sys.ts';
import { makeDevices } from '../isolation/device-nodes.ts';
import { PROTOCOL_VERSION } from '../protocol/frames.ts';
import { devicesOf } from '../run/placed-mounts.ts';
import { type ChosenSnapshotter, chooseSnapshotter } from '../snapshot/choose.ts';
import type { WorkerHost } from './host.ts';
import type { WorkerInit } from './init.ts';

let current: WorkerHost | undefined;

/** The host that `startHost` made. */
export function workerHost(): WorkerHost {
  if (!current)
    throw new SlipwayError('internal', 'the worker was not initialised', { code: 'WORKER_NOT_READY' });
  return current;
}

/** Makes the worker ready: takes the lease's lock, which the kernel frees when the worker dies, however it dies. */
export function startHost(init: WorkerInit): WorkerHost {
  if (init.version !== PROTOCOL_VERSION) {
    throw new SlipwayError('internal', `front and worker differ (${init.version}, ${PROTOCOL_VERSION})`, {
      code: 'PROTOCOL_VERSION',
      hint: 'The installation is mixed: install or build Slipway again.',
    });
  }
  const sys = loadSys();
  process.umask(0o022);
  const ownProc = init.tier !== 'none' && mountProc(sys);
  sys.flock(openSync(lockPath(init.store, init.lease), 'a', 0o600), 'exclusive');
  const active = activePath(init.store, init.lease, 'worker');
  mkdirSync(active, { recursive: true, mode: 0o700 });
  if (init.tier === 'none') makeDevices(sys, devicesOf({ active }));
  let chosen: ChosenSnapshotter | undefined;
  let selected: Promise<SelectedRuntime> | undefined;
  const selectedRuntime = (): Promise<SelectedRuntime> => {
    selected ??= chooseRuntime(init, active);
    return selected;
  };
  current = {
    sys,
    store: init.store,
    lease: init.lease,
    active,
    tier: init.tier,
    userNamespace: init.userNamespace,
    ownProc,
    renewedCaches: new Set(),
    writtenTrees: new Map(),
    get snapshotter() {
      return this.chosenSnapshotter().snapshotter;
    },
    chosenSnapshotter: () => {
      const { store, tier, userNamespace } = init;
      chosen ??= chooseSnapshotter({ sys, store, active, tier, userNamespace });
      return chosen;
    },
    runtime: async () => (await selectedRuntime()).runtime,
    selectedRuntime,
  };
  return current;
}

/**
 * Mounts the /proc of the worker's own pid namespace. False where the kernel refuses: in a container whose /proc is
 * partly hidden a new one would show what is hidden. Then the outer one stays.
 */
function mountProc(sys: Sys): boolean {
  try {
    sys.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC);
    return true;
  } catch (error) {
    if (!isErrno(error, 'EPERM')) throw error;
    return false;
  }
}

/** Removes what only this worker used. Mounts end with its namespace. */
export function endHost(): void {
  if (!current) return;
  // What is still dying in them keeps the directory, by which the next collection finds both.
  if (removeCgroups(cgroupParent(current.lease))) rmSync(current.active, { recursive: true, force: true });
}

async function chooseRuntime(init: WorkerInit, directory: string): Promise<SelectedRuntime> {
  if (init.tier === 'none') {
    const { ChrootRuntime } = await import('../../runtime/chroot/chroot-runtime.ts');
    return { runtime: new ChrootRuntime(init.mark), reason: '--isolation=none' };
  }
  const { selectRuntime } = await import('../../runtime/select-runtime.ts');
  return selectRuntime(init.runtime, {
    directory,
    cacheFile: `${init.store}/runtime.json`,
    cgroupParent: cgroupParent(init.lease),
  });
}
