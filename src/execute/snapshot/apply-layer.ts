import { lstatSync, readdirSync } from 'node:fs';
import type { Overrides } from '../../layer/types.ts';
import { opaqueName } from '../../layer/xattr-rules.ts';
import { deleteTree } from '../../store/collect.ts';
import { type BytePath, bufferOf, fsPath } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import { NodeCopier } from './copy-node.ts';

export interface ApplyRequest {
  sys: Sys;
  /** The layer's directory, in overlay form; or a merged tree, which has no marks. */
  layer: BytePath;
  /** An existing directory that holds the layers below. */
  target: BytePath;
  /** Opaque directories are marked by `user.overlay.opaque`. */
  userxattr: boolean;
  /** What the directory holds wrongly: here, whiteouts. */
  overrides: Overrides | undefined;
}

/** Puts a layer over a tree by copying, whiteouts and opaque directories done as overlayfs shows them. */
export function applyLayer(request: ApplyRequest): void {
  const copier = new NodeCopier(request.sys);
  const { sys, overrides } = request;
  const opaque = opaqueName(request.userxattr);

  const merge = (path: BytePath): void => {
    const from = path === '' ? request.layer : `${request.layer}/${path}`;
    const to = path === '' ? request.target : `${request.target}/${path}`;
    const stat = lstatSync(fsPath(from), { bigint: true });
    if (isOpaque(from)) for (const name of namesIn(to)) remove(`${to}/${name}`);
    for (const name of namesIn(from)) {
      const child = path === '' ? name : `${path}/${name}`;
      const source = `${from}/${name}`;
      const target = `${to}/${name}`;
      const node = lstatSync(fsPath(source), { bigint: true });
      const existing = lstatSync(fsPath(target), { throwIfNoEntry: false });
      const whiteout = node.isCharacterDevice() && node.rdev === 0n;
      if (node.isDirectory()) {
        if (existing && !existing.isDirectory()) remove(target);
        if (!existing?.isDirectory()) copier.directory(target);
        merge(child);
        continue;
      }
      if (existing) remove(target);
      if (!whiteout && overrides?.get(child)?.type !== 'whiteout') copier.copy(source, target, node);
    }
    // Last: every name made in it changes its time.
    copier.attributes(from, to, stat);
  };

  const isOpaque = (path: BytePath): boolean => {
    try {
      return sys.lgetxattr(fsPath(path), opaque) !== undefined;
    } catch {
      return false;
    }
  };
  merge('');
}

function namesIn(path: BytePath): BytePath[] {
  return readdirSync(fsPath(path), 'latin1');
}

function remove(path: BytePath): void {
  deleteTree(bufferOf(path));
}
