import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { deviceLinks } from '../../runtime/standard-files.ts';
import type { Mount } from '../../runtime/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { type BytePath, bufferOf, bytesOf, fsPath } from '../../sys/bytes.ts';
import { loadSys } from '../../sys/linux.ts';
import { applyLayer } from '../snapshot/apply-layer.ts';
import { NodeCopier } from '../snapshot/copy-node.ts';
import type { ActiveSnapshot } from '../snapshot/snapshotter.ts';
import { ensureDirectory, joinRoot, resolveInRoot } from '../step/root-path.ts';
import type { WorkerHost } from '../worker/host.ts';

/** Device nodes for containers that can mount nothing; made by `makeDevices`. */
export function devicesOf(host: Pick<WorkerHost, 'active'>): string {
  return join(host.active, 'devices');
}

interface Placed {
  /** Real path in the root file system. */
  at: BytePath;
  /** Where what was there waits. */
  aside: BytePath | undefined;
  /** Where it came from, if it is to go back there. */
  home: BytePath | undefined;
}

/**
 * Puts what would be mounted into the root file system itself, where nothing can be mounted: copies of bind mounts,
 * cache directories themselves, an empty directory for a tmpfs, a /dev of few nodes. What was there waits aside. The
 * returned function takes everything out again and leaves no trace for the snapshot's diff.
 */
export function placeMounts(
  host: WorkerHost,
  snapshot: ActiveSnapshot,
  mounts: readonly Mount[],
): () => void {
  const root = bytesOf(snapshot.root);
  const placed: Placed[] = [];
  const restore = (): void => {
    for (const each of placed.splice(0).reverse()) takeOut(each, snapshot);
  };
  const place = (target: string, fill: (at: BytePath) => BytePath | undefined): void => {
    const at = realTarget(root, bytesOf(target));
    const aside: BytePath = `${bytesOf(snapshot.scratch)}/aside-${placed.length}`;
    keepingTimes(parentOf(at), () => {
      const there = lstatSync(fsPath(at), { throwIfNoEntry: false }) !== undefined;
      if (there) renameSync(fsPath(at), fsPath(aside));
      const entry: Placed = { at, aside: there ? aside : undefined, home: undefined };
      placed.push(entry);
      entry.home = fill(at);
    });
  };
  try {
    place('/dev', (at) => makeDev(host, at));
    for (const mount of mounts) place(mount.target, (at) => fillFrom(host, mount, at));
  } catch (error) {
    restore();
    throw error;
  }
  return restore;
}

function fillFrom(host: WorkerHost, mount: Mount, at: BytePath): BytePath | undefined {
  if (mount.type === 'tmpfs') {
    mkdirSync(fsPath(at), 0o755);
    return undefined;
  }
  if (mount.type !== 'bind' || mount.source === undefined) {
    throw new SlipwayError(
      'unsupported',
      `a mount of type ${mount.type} cannot be had with --isolation=none`,
      {
        code: 'MOUNT_UNSUPPORTED',
      },
    );
  }
  const source = sourceOf(mount.source, mount.sourceRoot);
  if (source.startsWith(`${bytesOf(join(host.store, 'cache'))}/`)) {
    renameSync(fsPath(source), fsPath(at));
    return source;
  }
  const stat = statSync(fsPath(source), { bigint: true });
  if (stat.isSocket()) {
    // Who listens there is found by the inode: a second name does, a copy would not.
    linkSync(fsPath(source), fsPath(at));
    return undefined;
  }
  if (!stat.isDirectory()) {
    new NodeCopier(host.sys).copy(source, at, stat);
    return undefined;
  }
  mkdirSync(fsPath(at), 0o700);
  applyLayer({
    sys: host.sys,
    layer: source,
    target: at,
    userxattr: host.userNamespace,
    overrides: undefined,
  });
  return undefined;
}

/** A source's real path; inside its root, if it has one. */
function sourceOf(source: string, root: string | undefined): BytePath {
  if (root === undefined) return bytesOf(source);
  const { existing, missing } = resolveInRoot(bytesOf(root), bytesOf(source));
  return joinRoot(bytesOf(root), [...existing, ...missing]);
}

/** A /dev as containers have it, as far as nodes could be made. */
function makeDev(host: WorkerHost, at: BytePath): undefined {
  mkdirSync(fsPath(at), 0o755);
  const devices = devicesOf(host);
  for (const name of existsSync(devices) ? readdirSync(devices) : []) {
    linkSync(join(devices, name), bufferOf(`${at}/${name}`));
  }
  for (const [name, text] of deviceLinks) symlinkSync(text, bufferOf(`${at}/${name}`));
  mkdirSync(bufferOf(`${at}/shm`), { mode: 0o777 });
}

function takeOut({ at, aside, home }: Placed, snapshot: ActiveSnapshot): void {
  keepingTimes(parentOf(at), () => {
    const there = lstatSync(fsPath(at), { throwIfNoEntry: false });
    if (home !== undefined && there?.isDirectory()) renameSync(fsPath(at), fsPath(home));
    else if (there) deleteTree(bufferOf(at));
    if (aside !== undefined) renameSync(fsPath(aside), fsPath(at));
  });
  if (aside !== undefined) snapshot.unchanged?.(at.slice(bytesOf(snapshot.root).length + 1));
}

/** A target's real path; what is missing of it below a placed directory is made. */
function realTarget(root: BytePath, target: BytePath): BytePath {
  const { existing, missing } = resolveInRoot(root, target);
  if (missing.length === 0) return joinRoot(root, existing);
  const parent = ensureDirectory(root, joinRoot('', [...existing, ...missing.slice(0, -1)]));
  return `${parent}/${missing.at(-1)!}`;
}

function keepingTimes(directory: BytePath, act: () => void): void {
  const { mtimeNs } = lstatSync(fsPath(directory), { bigint: true });
  act();
  loadSys().utimens(fsPath(directory), mtimeNs);
}

function parentOf(path: BytePath): BytePath {
  return path.slice(0, path.lastIndexOf('/'));
}
