import { existsSync, mkdirSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../errors/index.ts';
import { layersPath } from '../../store/layout.ts';
import { MNT_DETACH, MS_NODEV, S_IFCHR } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { Tier } from '../isolation.ts';
import { readOverrides } from '../step/layer-overrides.ts';
import { copySnapshotter } from './copy.ts';
import { escapeOption, fixedOptions, overlaySnapshotter, VOLATILE } from './overlay.ts';
import type { Snapshotter } from './snapshotter.ts';

export interface ChooseOptions {
  sys: Sys;
  /** Absolute path of the store. */
  store: string;
  /** Directory of this worker alone, on the store's file system. */
  active: string;
  tier: Tier;
  userNamespace: boolean;
}

/** A snapshotter and, for `slipway info`, why it is that one. */
export interface ChosenSnapshotter {
  snapshotter: Snapshotter;
  reason: string;
}

/** Overlayfs where it can be had for this store, tried once by a mount; else plain copies. */
export function chooseSnapshotter(options: ChooseOptions): ChosenSnapshotter {
  const { sys, store, active, userNamespace } = options;
  const layers = layersPath(store);
  const { obstacle, canBeVolatile = false } = tryOverlay(options);
  if (obstacle === undefined) {
    const snapshotter = overlaySnapshotter({ sys, layers, active, userNamespace, canBeVolatile });
    return { snapshotter, reason: 'the kernel mounts overlayfs on the file system of the store' };
  }
  const overridesOf = (layer: string) => readOverrides({ store }, layer);
  const snapshotter = copySnapshotter({
    sys,
    layers,
    active,
    userxattr: userNamespace,
    canMount: options.tier !== 'none',
    overridesOf,
  });
  noteWhiteouts(options);
  return { snapshotter, reason: `no overlayfs: ${obstacle}` };
}

/** Where whiteouts cannot be device nodes, they are in the records alone, which overlayfs does not read. */
function recordedWhiteouts(store: string): string {
  return join(store, 'recorded-whiteouts');
}

function noteWhiteouts({ sys, store, active }: ChooseOptions): void {
  const probe = join(active, 'whiteout');
  try {
    sys.mknod(probe, S_IFCHR, 0, 0);
    unlinkSync(probe);
  } catch (error) {
    if (!isErrno(error, 'EPERM')) throw error;
    writeFileSync(recordedWhiteouts(store), '', { mode: 0o600 });
  }
}

/**
 * What stands against overlayfs, if anything, and what it can. Does with one what a RUN may: replaces a directory of a
 * lower layer.
 */
function tryOverlay({ sys, store, active, tier, userNamespace }: ChooseOptions): {
  obstacle?: string;
  canBeVolatile?: boolean;
} {
  if (tier === 'none') return { obstacle: '--isolation=none mounts nothing' };
  if (existsSync(recordedWhiteouts(store))) {
    return { obstacle: 'the store was written where whiteouts could not be device nodes' };
  }
  const probe = join(active, 'probe');
  const [lower, upper, work, root] = ['lower', 'upper', 'work', 'root'].map((name) => join(probe, name)) as [
    string,
    string,
    string,
    string,
  ];
  let mounted = false;
  try {
    for (const path of [join(lower, 'directory', 'inside'), upper, work, root]) {
      mkdirSync(path, { recursive: true });
    }
    const [l, u, w] = [lower, upper, work].map(escapeOption);
    const data = `lowerdir=${l},upperdir=${u},workdir=${w},${fixedOptions(userNamespace)}`;
    let canBeVolatile = true;
    try {
      sys.mount('overlay', root, 'overlay', MS_NODEV, `${data},${VOLATILE}`);
    } catch {
      canBeVolatile = false;
      sys.mount('overlay', root, 'overlay', MS_NODEV, data);
    }
    mounted = true;
    rmSync(join(root, 'directory'), { recursive: true });
    mkdirSync(join(root, 'directory'));
    rmdirSync(join(root, 'directory'));
    return { canBeVolatile };
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    const obstacle = mounted
      ? `it does not work on the file system of the store (${code})`
      : `the kernel does not mount it on the file system of the store (${code})`;
    return { obstacle };
  } finally {
    if (mounted) sys.umount(root, MNT_DETACH);
    rmSync(probe, { recursive: true, force: true });
  }
}
