import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Overrides } from '../../layer/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { bytesOf } from '../../sys/bytes.ts';
import { MNT_DETACH, MS_BIND, MS_NODEV, MS_REMOUNT } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import type { LayerChain, LayerId } from '../executor.ts';
import { applyLayer } from './apply-layer.ts';
import type { ActiveSnapshot, Snapshotter, SnapshotView } from './snapshotter.ts';
import { awaitLaterClock, indexTree, writeChanges } from './tree-diff.ts';

/** Merged trees that are kept for the next step, beside those in use: each is as large as an image. */
const MAX_IDLE_TREES = 2;

export interface CopyOptions {
  sys: Sys;
  /** Directory that holds one directory per layer. */
  layers: string;
  /** Directory of this worker alone, on the same file system as `layers`. */
  active: string;
  /** Opaque directories are marked by `user.overlay.opaque`. */
  userxattr: boolean;
  /** Mounts can be made: a writable tree is bound to itself, so that no device node in it works. */
  canMount: boolean;
  /** What a layer's directory holds wrongly. */
  overridesOf(layer: LayerId): Overrides | undefined;
}

/** A chain's layers merged in one directory. */
interface Tree {
  chain: LayerChain;
  path: string;
  /** Views that are open. */
  users: number;
}

/**
 * Snapshots by plain copies, for where overlayfs cannot be had. A step works on a merged tree of its own; the diff is
 * found by comparing it with what it was, by inode and ctime. The tree of a committed step is kept: the step after it
 * goes on in it, so that a line of steps copies the image once.
 */
export function copySnapshotter(options: CopyOptions): Snapshotter {
  const { sys, layers, active, userxattr, overridesOf, canMount } = options;
  const trees: Tree[] = [];
  let count = 0;
  const freshName = (): string => join(active, `c${(count++).toString(36)}`);

  const copyOnto = (target: string, source: string, overrides?: Overrides): void => {
    applyLayer({ sys, layer: bytesOf(source), target: bytesOf(target), userxattr, overrides });
  };

  /** Fills an empty directory with a chain, from the kept tree that has most of it. */
  const fill = (target: string, chain: LayerChain): void => {
    let from = 0;
    const known = trees
      .filter((tree) => tree.chain.every((layer, i) => chain[i] === layer))
      .sort((a, b) => b.chain.length - a.chain.length)[0];
    if (known) {
      copyOnto(target, known.path);
      from = known.chain.length;
    }
    for (const layer of chain.slice(from)) copyOnto(target, join(layers, layer), overridesOf(layer));
  };

  const find = (chain: LayerChain): Tree | undefined =>
    trees.find(
      (tree) => tree.chain.length === chain.length && tree.chain.every((layer, i) => chain[i] === layer),
    );

  const keep = (tree: Tree): void => {
    trees.push(tree);
    const idle = trees.filter(({ users }) => users === 0);
    for (const old of idle.slice(0, Math.max(0, idle.length - MAX_IDLE_TREES))) {
      trees.splice(trees.indexOf(old), 1);
      deleteTree(old.path);
    }
  };

  const prepare = (parent: LayerChain): ActiveSnapshot => {
    const scratch = freshName();
    mkdirSync(scratch, { mode: 0o700 });
    const root = join(scratch, 'root');
    const ready = find(parent);
    if (ready?.users === 0) {
      trees.splice(trees.indexOf(ready), 1);
      renameSync(ready.path, root);
    } else {
      mkdirSync(root, { mode: 0o755 });
      fill(root, parent);
    }
    const index = indexTree(bytesOf(root));
    awaitLaterClock(join(scratch, 'clock'), index.latestNs);
    let mounted = canMount;
    if (mounted) {
      sys.mount(root, root, null, MS_BIND);
      sys.mount(null, root, null, MS_REMOUNT | MS_BIND | MS_NODEV);
    }
    const unmount = (): void => {
      if (mounted) sys.umount(root, MNT_DETACH);
      mounted = false;
    };
    return {
      root,
      scratch,
      commit: (layer) => {
        unmount();
        const upper = join(scratch, 'upper');
        mkdirSync(upper, { mode: 0o755 });
        const { overrides, changed } = writeChanges(sys, bytesOf(root), bytesOf(upper), index);
        renameSync(upper, join(layers, layer));
        const path = freshName();
        renameSync(root, path);
        keep({ chain: [...parent, layer], path, users: 0 });
        return { overrides, hasChanged: (name) => changed.has(name) };
      },
      unchanged: (path) => index.refresh(path),
      discard: () => {
        unmount();
        deleteTree(scratch);
      },
    };
  };

  const view = (chain: LayerChain): SnapshotView => {
    // A base layer has nothing below it that its marks could hide.
    if (chain.length === 1 && overridesOf(chain[0]!) === undefined) {
      return { root: join(layers, chain[0]!), close: () => {} };
    }
    let tree = find(chain);
    if (!tree) {
      const path = freshName();
      mkdirSync(path, { mode: 0o755 });
      fill(path, chain);
      tree = { chain, path, users: 0 };
      trees.push(tree);
    }
    const used = tree;
    used.users++;
    let open = true;
    return {
      root: used.path,
      close: () => {
        if (open) used.users--;
        open = false;
      },
    };
  };

  return { name: 'copy', prepare, view };
}
