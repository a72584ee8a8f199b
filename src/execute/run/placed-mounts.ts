import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { deviceLinks } from '../../runtime/standard-files.ts';
import type { Mount } from '../../runtime/types.ts';
import { deleteTree } from '../../store/collect.ts';
import { type BytePath, bufferOf, bytesOf, fsPath } from '../../sys/bytes.ts';
import { O_PATH } from '../../sys/constants.ts';
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

/**
 * Something that stands in the root file system while a RUN has it. Directory and content are held open: a RUN may
 * move them and put links in their place, which a path would follow.
 */
interface Placed {
  /** Path in the container, for people. */
  target: string;
  /** Real path of the directory in the root file system, and the directory itself. */
  directory: BytePath;
  parent: number;
  name: BytePath;
  content: number | undefined;
  /** Names that the content has elsewhere: a socket has that of whoever listens. */
  names: number;
  /** Where what was there waits. */
  aside: BytePath | undefined;
  /** Where it came from, if it is to go back there. */
  home: BytePath | undefined;
}

/**
 * Puts what would be mounted into the root file system itself, where nothing can be mounted: copies of bind mounts,
 * cache directories themselves, an empty directory for a tmpfs, a /dev of few nodes. What was there waits aside. The
 * returned function takes everything out again, wherever a RUN has moved it, follows no link on the way, and leaves
 * no trace for the snapshot's diff. It throws `invalid` when it cannot: a file that a RUN has linked elsewhere may be
 * a secret.
 */
export function placeMounts(
  host: WorkerHost,
  snapshot: ActiveSnapshot,
  mounts: readonly Mount[],
): () => void {
  const root = bytesOf(snapshot.root);
  const placed: Placed[] = [];
  const restore = (): void => {
    const errors = placed
      .splice(0)
      .reverse()
      .flatMap((each) => takeOut(each, snapshot) ?? []);
    if (errors[0] !== undefined) throw errors[0];
  };
  const place = (target: string, fill: (at: BytePath) => BytePath | undefined): void => {
    const at = realTarget(root, bytesOf(target));
    const slash = at.lastIndexOf('/');
    const [directory, name] = [at.slice(0, slash), at.slice(slash + 1)];
    const parent = openSync(bufferOf(directory), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const entry: Placed = {
      target,
      directory,
      parent,
      name,
      content: undefined,
      names: 0,
      aside: undefined,
      home: undefined,
    };
    placed.push(entry);
    keepingTimes(parent, () => {
      if (lstatSync(fsPath(at), { throwIfNoEntry: false }) !== undefined) {
        const aside: BytePath = `${bytesOf(snapshot.scratch)}/aside-${placed.length}`;
        renameSync(fsPath(at), fsPath(aside));
        entry.aside = aside;
      }
      entry.home = fill(at);
      entry.content = openSync(bufferOf(at), O_PATH | constants.O_NOFOLLOW);
      entry.names = fstatSync(entry.content).nlink - 1;
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
    const mode = mount.options.find((option) => option.startsWith('mode='))?.slice('mode='.length);
    mkdirSync(fsPath(at), 0o755);
    chmodSync(fsPath(at), Number.parseInt(mode ?? '1777', 8));
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
  const shm = bufferOf(`${at}/shm`);
  mkdirSync(shm);
  chmodSync(shm, 0o1777);
}

/** Gives what stands against it, if something does. Descriptors are closed whatever happens. */
function takeOut(placed: Placed, snapshot: ActiveSnapshot): SlipwayError | undefined {
  const { target, directory, parent, name, content, names, aside, home } = placed;
  const at: BytePath = `/proc/self/fd/${parent}/${name}`;
  try {
    let linked = false;
    keepingTimes(parent, () => {
      if (content !== undefined) linked = !removeContent(content, { names, home });
      if (lstatSync(fsPath(at), { throwIfNoEntry: false })) deleteTree(bufferOf(at));
      if (aside !== undefined) renameSync(fsPath(aside), fsPath(at));
    });
    // Unless the directory was moved: then it is new where it is now.
    if (aside !== undefined && whereIs(parent) === directory) {
      snapshot.unchanged?.(`${directory}/${name}`.slice(bytesOf(snapshot.root).length + 1));
    }
    if (!linked) return undefined;
    return new SlipwayError('invalid', `RUN made another link to the file that is mounted at ${target}`, {
      code: 'MOUNT_LINKED',
      hint: 'Copy the file instead, if its content may be in the image.',
    });
  } catch (error) {
    // A RUN has removed the directory, and with it what was there before.
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  } finally {
    closeSync(parent);
    if (content !== undefined) closeSync(content);
  }
}

/** Takes what was placed from where it is now. False when a file has more names left than it had. */
function removeContent(content: number, { names, home }: Pick<Placed, 'names' | 'home'>): boolean {
  const stat = fstatSync(content, { bigint: true });
  if (stat.nlink === 0n) return true;
  const path = whereIs(content);
  const there = lstatSync(bufferOf(path), { bigint: true, throwIfNoEntry: false });
  if (there?.ino === stat.ino && there.dev === stat.dev) {
    if (home === undefined) deleteTree(bufferOf(path));
    else renameSync(bufferOf(path), bufferOf(home));
  }
  return stat.isDirectory() || fstatSync(content).nlink <= names;
}

/** Present path of what a descriptor stands for, without links. */
function whereIs(fd: number): BytePath {
  return readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' });
}

/** A target's real path; what is missing of it below a placed directory is made. */
function realTarget(root: BytePath, target: BytePath): BytePath {
  const { existing, missing } = resolveInRoot(root, target);
  if (missing.length === 0) return joinRoot(root, existing);
  const parent = ensureDirectory(root, joinRoot('', [...existing, ...missing.slice(0, -1)]));
  return `${parent}/${missing.at(-1)!}`;
}

function keepingTimes(directory: number, act: () => void): void {
  const path = `/proc/self/fd/${directory}/.`;
  const { mtimeNs } = statSync(path, { bigint: true });
  act();
  loadSys().utimens(path, mtimeNs);
}
