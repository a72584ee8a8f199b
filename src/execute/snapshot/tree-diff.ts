import { lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { isErrno } from '../../errors/index.ts';
import type { Overrides } from '../../layer/types.ts';
import { type BytePath, fsPath } from '../../sys/bytes.ts';
import { S_IFCHR } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';
import { NodeCopier } from './copy-node.ts';

/** What a name was when it was looked at: any change of it changes the ctime, which nobody can set. */
interface Seen {
  inode: bigint;
  ctimeNs: bigint;
  directory: boolean;
}

/** A tree as it was at one moment. */
export interface TreeIndex {
  names: Map<BytePath, Seen>;
  children: Map<BytePath, BytePath[]>;
  latestNs: bigint;
  /** Takes a name that was in the tree as it is now. */
  refresh(path: BytePath): void;
}

/** Looks at every name of a tree. */
export function indexTree(root: BytePath): TreeIndex {
  const refresh = (path: BytePath): void => {
    const { ino, ctimeNs } = lstatSync(fsPath(at(root, path)), { bigint: true });
    const seen = index.names.get(path);
    if (seen?.inode === ino) seen.ctimeNs = ctimeNs;
  };
  const index: TreeIndex = { names: new Map(), children: new Map(), latestNs: 0n, refresh };
  const visit = (path: BytePath): void => {
    const stat = lstatSync(fsPath(at(root, path)), { bigint: true });
    const directory = stat.isDirectory();
    index.names.set(path, { inode: stat.ino, ctimeNs: stat.ctimeNs, directory });
    if (stat.ctimeNs > index.latestNs) index.latestNs = stat.ctimeNs;
    if (!directory) return;
    const names = readdirSync(fsPath(at(root, path)), 'latin1');
    index.children.set(path, names);
    for (const name of names) visit(join(path, name));
  };
  visit('');
  return index;
}

/**
 * Waits until a change would get a later ctime than all of an index: the kernel's clock for it may tick in steps of
 * some milliseconds. `probe` is a path that may be written to.
 */
export function awaitLaterClock(probe: string, latestNs: bigint): void {
  const until = performance.now() + 2000;
  for (;;) {
    writeFileSync(probe, '');
    if (lstatSync(probe, { bigint: true }).ctimeNs > latestNs || performance.now() > until) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** What differs. */
export interface TreeChanges {
  /** Whiteouts that the kernel refused to make: an empty file has their place. */
  overrides: Overrides;
  /** Names that are in the layer as the inode that they were. */
  changed: Set<BytePath>;
}

/**
 * Copies what is not as in the index into `layer`, an empty directory, in overlay form: changed and new names with
 * the directories above them, whiteouts for those that are gone.
 */
export function writeChanges(sys: Sys, root: BytePath, layer: BytePath, index: TreeIndex): TreeChanges {
  const copier = new NodeCopier(sys);
  const changes: TreeChanges = { overrides: new Map(), changed: new Set() };
  const made = new Set<BytePath>(['']);

  const makeParents = (path: BytePath): void => {
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (made.has(parent)) return;
    makeParents(parent);
    copier.directory(at(layer, parent));
    made.add(parent);
  };

  const whiteout = (path: BytePath): void => {
    makeParents(path);
    try {
      sys.mknod(fsPath(at(layer, path)), S_IFCHR, 0, 0);
    } catch (error) {
      // Overlayfs holds none as an upper directory of its own.
      if (!isErrno(error, 'EPERM')) throw error;
      writeFileSync(fsPath(at(layer, path)), '', { flag: 'wx', mode: 0 });
      changes.overrides.set(path, { type: 'whiteout', mode: 0, uid: 0, gid: 0, mtimeNs: 0n });
    }
  };

  const visit = (path: BytePath): void => {
    const full = at(root, path);
    const stat = lstatSync(fsPath(full), { bigint: true });
    const before = index.names.get(path);
    const same = before?.inode === stat.ino;
    const untouched = same && before.ctimeNs === stat.ctimeNs;
    if (!stat.isDirectory()) {
      if (untouched) return;
      makeParents(path);
      copier.copy(full, at(layer, path), stat);
      if (same) changes.changed.add(path);
      return;
    }
    if (!untouched && path !== '') {
      makeParents(join(path, '.'));
    }
    const names = readdirSync(fsPath(full), 'latin1');
    for (const name of names) visit(join(path, name));
    if (before?.directory) {
      const present = new Set(names);
      for (const name of index.children.get(path)!) if (!present.has(name)) whiteout(join(path, name));
    }
    if (!made.has(path)) return;
    copier.attributes(full, at(layer, path), stat);
    if (same) changes.changed.add(path);
  };
  visit('');
  return changes;
}

function at(root: BytePath, path: BytePath): BytePath {
  return path === '' ? root : `${root}/${path}`;
}

function join(directory: BytePath, name: BytePath): BytePath {
  return directory === '' ? name : `${directory}/${name}`;
}
