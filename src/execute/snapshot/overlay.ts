import {
  chmodSync,
  chownSync,
  close,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import { MNT_DETACH, MS_BIND, MS_NODEV, MS_RDONLY, MS_REMOUNT, O_PATH } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { LayerChain } from '../executor.ts';
import type { ActiveSnapshot, Snapshotter, SnapshotView } from './snapshotter.ts';

/** The kernel's limit of lower layers in one overlay (OVL_MAX_STACK). */
const MAX_LOWERS = 500;

export interface OverlayOptions {
  sys: Sys;
  /** Directory that holds one directory per layer. */
  layers: string;
  /** Directory of this worker alone, on the same file system as `layers`. */
  active: string;
  /** In a user namespace overlayfs keeps its marks in `user.overlay.*`. */
  userNamespace: boolean;
  /** Whether the kernel takes `volatile`. */
  canBeVolatile: boolean;
}

/**
 * Snapshots by overlayfs: the upper directory is the diff, so a commit costs one rename whatever the size of the
 * image (DESIGN, decision 3).
 */
export function overlaySnapshotter(options: OverlayOptions): Snapshotter {
  const { sys, layers, active } = options;
  let count = 0;
  const fixed = fixedOptions(options.userNamespace);
  const writable = options.canBeVolatile ? `${fixed},${VOLATILE}` : fixed;
  const origin = options.userNamespace ? 'user.overlay.origin' : 'trusted.overlay.origin';
  const empty = join(active, 'empty');
  mkdirSync(empty, { recursive: true, mode: 0o755 });

  const scratchDirectory = (): string => {
    const path = join(active, (count++).toString(36));
    mkdirSync(path, { mode: 0o700 });
    return path;
  };

  /** The lower directories, top first, as short relative names: 200 of them must fit in one page of options. */
  const lowerOption = (lowers: string[]): string => {
    if (lowers.length > MAX_LOWERS) {
      throw new SlipwayError(
        'unsupported',
        `${lowers.length} layers are more than the kernel can stack (${MAX_LOWERS})`,
        {
          code: 'TOO_MANY_LAYERS',
          hint: 'Join RUN instructions, or start a stage from the result.',
        },
      );
    }
    return lowers.join(':');
  };

  /**
   * Top first. A layer may be in a chain twice (two steps that change nothing): only its uppermost place counts, and
   * the kernel refuses the same directory again (ELOOP).
   */
  const lowersOf = (chain: LayerChain): string[] => [...new Set(chain.toReversed())];

  const mountOverlay = (target: string, data: string): void => {
    // The names are relative to the directory of layers.
    sys.chdir(layers);
    sys.mount('overlay', target, 'overlay', MS_NODEV, data);
  };

  /** Mounts that nobody sees any more and that the kernel is taking down. */
  const ending = new Set<Promise<void>>();

  /** Whoever is the last user of a mount waits while the kernel frees what it knew of it: 40 ms for 20,000 files. */
  const end = (root: string): void => {
    const user = tryOpen(root);
    sys.umount(root, MNT_DETACH);
    if (user === undefined) return;
    const ended = new Promise<void>((resolve) => close(user, () => resolve()));
    ending.add(ended);
    void ended.then(() => ending.delete(ended));
  };

  const prepare = (parent: LayerChain): ActiveSnapshot => {
    const scratch = scratchDirectory();
    const root = join(scratch, 'root');
    const upper = join(scratch, 'upper');
    for (const path of [root, upper, join(scratch, 'work')]) mkdirSync(path, { mode: 0o755 });
    copyRootAttributes(sys, parent.length > 0 ? join(layers, parent.at(-1)!) : undefined, upper);
    const lower = parent.length > 0 ? lowerOption(lowersOf(parent)) : escapeOption(empty);
    const data = `lowerdir=${lower},upperdir=${escapeOption(upper)},workdir=${escapeOption(join(scratch, 'work'))},${writable}`;
    mountOverlay(root, data);
    let mounted = true;
    const unmount = (): void => {
      if (mounted) end(root);
      mounted = false;
    };
    return {
      root,
      scratch,
      changes: upper,
      direct: (path) => {
        unmount();
        return bytesOf(upper) + path.slice(bytesOf(root).length);
      },
      commit: (layer) => {
        unmount();
        const directory = join(layers, layer);
        renameSync(upper, directory);
        return {
          overrides: new Map(),
          // Overlayfs marks what it copied up with where it came from.
          hasChanged: (path) => hasXattr(sys, `${bytesOf(directory)}/${path}`, origin),
        };
      },
      discard: () => {
        unmount();
        rmSync(scratch, { recursive: true, force: true });
      },
    };
  };

  const view = (chain: LayerChain): SnapshotView => {
    const root = scratchDirectory();
    const lowers = lowersOf(chain);
    if (lowers.length < 2) {
      // overlayfs wants two lower directories, or an upper one.
      sys.mount(lowers.length === 1 ? join(layers, lowers[0]!) : empty, root, null, MS_BIND);
      sys.mount(null, root, null, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV);
    } else {
      mountOverlay(root, `lowerdir=${lowerOption(lowers)},${fixed}`);
    }
    return {
      root,
      close: () => {
        end(root);
        rmSync(root, { recursive: true, force: true });
      },
    };
  };

  return { name: 'overlay', prepare, view, settled: async () => void (await Promise.all(ending)) };
}

/** Undefined where there is no descriptor left. */
function tryOpen(directory: string): number | undefined {
  try {
    return openSync(directory, O_PATH | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}

function hasXattr(sys: Sys, path: BytePath, name: string): boolean {
  try {
    return sys.lgetxattr(bufferOf(path), name) !== undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'EPERM')) return false;
    throw error;
  }
}

/**
 * Since Linux 5.10. Without it each unmount waits until all that the file system of the store holds is on the disk, and
 * a package manager waits for every file. One sync before a result gets a name is enough (DESIGN, decision 8).
 */
export const VOLATILE = 'volatile';

/** The options of every overlay (DESIGN, decision 3). */
export function fixedOptions(userNamespace: boolean): string {
  // `redirect_dir=nofollow` is refused together with `userxattr`, which implies it.
  return userNamespace ? 'userxattr,metacopy=off,index=off' : 'redirect_dir=nofollow,metacopy=off,index=off';
}

/** The upper root hides the lower one's owner, mode and time: it must start with them. */
function copyRootAttributes(sys: Sys, from: string | undefined, to: string): void {
  if (from === undefined) {
    chmodSync(to, 0o755);
    return;
  }
  const stat = lstatSync(from, { bigint: true });
  chownSync(to, Number(stat.uid), Number(stat.gid));
  chmodSync(to, Number(stat.mode) & 0o7777);
  sys.utimens(to, stat.mtimeNs);
}

/** overlayfs splits its options at commas and colons; a backslash protects them. */
export function escapeOption(path: string): string {
  return path.replace(/[\\,:]/g, (c) => `\\${c}`);
}
