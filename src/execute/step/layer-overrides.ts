import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { isErrno } from '../../errors/index.ts';
import { decodeOverrides, encodeOverrides } from '../../layer/listing.ts';
import { NodeReader } from '../../layer/node-reader.ts';
import type { Override, Overrides } from '../../layer/types.ts';
import { opaqueName } from '../../layer/xattr-rules.ts';
import { layerDirectory, overridesPath } from '../../store/layout.ts';
import { type BytePath, bufferOf, bytesOf, fsPath } from '../../sys/bytes.ts';
import type { LayerChain, LayerId } from '../executor.ts';
import type { CommittedSnapshot } from '../snapshot/snapshotter.ts';
import type { WorkerHost } from '../worker/host.ts';
import type { KeptMetadata, Refused } from './metadata-keeper.ts';

/** What a layer's directory holds wrongly; undefined for most layers, which hold everything. */
export function readOverrides(host: Pick<WorkerHost, 'store'>, layer: LayerId): Overrides | undefined {
  try {
    return decodeOverrides(readFileSync(overridesPath(host.store, layer)));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The same of the merged file system of a chain: what lower layers recorded, as far as upper ones leave it in view. */
export function mergedOverrides(
  host: Pick<WorkerHost, 'store' | 'userNamespace' | 'sys'>,
  chain: LayerChain,
): Overrides {
  const merged: Overrides = new Map();
  for (const [path, override] of stackedOverrides(host, chain)) {
    if (override.type !== 'whiteout') merged.set(path, override);
  }
  return merged;
}

/** The same with whiteouts that are recorded only: of directories that make up one layer they stay in force. */
function stackedOverrides(
  host: Pick<WorkerHost, 'store' | 'userNamespace' | 'sys'>,
  chain: LayerChain,
): Overrides {
  const { sys } = host;
  const merged: Overrides = new Map();
  for (const layer of chain) {
    const own = readOverrides(host, layer);
    if (merged.size > 0) {
      const directory = bytesOf(layerDirectory(host.store, layer));
      const hides = hidingIn({ directory, opaque: opaqueName(host.userNamespace), sys, own });
      for (const path of [...merged.keys()]) if (hides(path)) merged.delete(path);
    }
    for (const [path, override] of own ?? []) merged.set(path, override);
  }
  return merged;
}

interface UpperLayer {
  directory: BytePath;
  opaque: string;
  sys: WorkerHost['sys'];
  own: Overrides | undefined;
}

/** Tells of a path of lower layers whether a layer has something in its place, or hides a directory above it. */
function hidingIn({ directory, opaque, sys, own }: UpperLayer): (path: BytePath) => boolean {
  return (path) => {
    const names = path === '' ? [] : path.split('/');
    for (let depth = 0; depth <= names.length; depth++) {
      const inside = names.slice(0, depth).join('/');
      const at = fsPath(inside === '' ? directory : `${directory}/${inside}`);
      const stat = lstatSync(at, { throwIfNoEntry: false });
      if (stat === undefined) return false;
      if (depth === names.length || !stat.isDirectory() || own?.get(inside)?.type === 'whiteout') return true;
      if (hasXattr(sys, at, opaque)) return true;
    }
    return false;
  };
}

function hasXattr(sys: WorkerHost['sys'], path: string | Buffer, name: string): boolean {
  try {
    return sys.lgetxattr(path, name) !== undefined;
  } catch {
    return false;
  }
}

export interface RecordRequest {
  /** What was mounted below, parts of the new layer included. */
  parent: LayerChain;
  /** The uppermost of those that are parts of the new layer. */
  below: LayerChain;
  layer: LayerId;
  /** Where the root file system was mounted: what `kept` names is below it. */
  root: BytePath;
  kept: KeptMetadata;
  committed: CommittedSnapshot;
}

/**
 * Writes down what a new layer's directory holds wrongly: what its step was refused, and what lower layers recorded
 * of files that the step changed without replacing them. Nothing is written for a layer that holds everything. The
 * record of a layer over others speaks for all of its directories.
 */
export function recordOverrides(host: WorkerHost, request: RecordRequest): void {
  const { parent, below, layer, root, kept, committed } = request;
  const overrides: Overrides = new Map(committed.overrides);
  const directory = bytesOf(layerDirectory(host.store, layer));
  const reader = new NodeReader(host.sys, { userxattr: host.userNamespace });
  const add = (path: BytePath, refused: Refused): void => {
    const full = path === '' ? directory : `${directory}/${path}`;
    if (lstatSync(bufferOf(full), { throwIfNoEntry: false }) === undefined) return;
    const entry = reader.read(path, directory)?.entry;
    if (!entry) return;
    const { type, mode, mtimeNs, xattrs } = entry;
    const { uid, gid, device } = refused;
    const wanted = refused.mode !== undefined && (refused.mode & 0o1777) === mode ? refused.mode : mode;
    overrides.set(path, { type, mode: wanted, uid, gid, mtimeNs, ...device, ...(xattrs && { xattrs }) });
  };

  const settled = new Set([...kept.settled].map((path) => path.slice(root.length + 1)));
  if (parent.some((lower) => existsSync(overridesPath(host.store, lower)))) {
    for (const [path, override] of mergedOverrides(host, parent)) {
      if (!settled.has(path) && committed.hasChanged(path)) add(path, inherited(override));
    }
  }
  for (const [path, refused] of kept.refused) add(path.slice(root.length + 1), refused);
  if (below.some((lower) => existsSync(overridesPath(host.store, lower)))) {
    const opaque = opaqueName(host.userNamespace);
    const hides = hidingIn({ directory, opaque, sys: host.sys, own: overrides });
    for (const [path, override] of stackedOverrides(host, below)) {
      if (!overrides.has(path) && !hides(path)) overrides.set(path, override);
    }
  }
  if (overrides.size > 0) {
    writeFileSync(overridesPath(host.store, layer), encodeOverrides(overrides), { mode: 0o600 });
  }
}

/** What a layer recorded of a name, as what a new one is refused of it. */
export function inherited({ type, mode, uid, gid, major = 0, minor = 0 }: Override): Refused {
  if (type !== 'char' && type !== 'block') return { uid, gid, mode };
  return { uid, gid, mode, device: { type, major, minor } };
}
