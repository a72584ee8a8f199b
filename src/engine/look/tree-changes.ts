import type { FileNode, FileTree } from '../../context/file-tree.ts';
import { showTime } from '../../image/time.ts';
import { joinPath } from '../../layer/paths.ts';
import type { BytePath } from '../../sys/bytes.ts';

/** In what a name can differ. */
export const ASPECTS = ['type', 'content', 'mode', 'owner', 'time', 'attributes', 'link', 'device'] as const;

export type Aspect = (typeof ASPECTS)[number];

export interface TreeChange {
  kind: 'added' | 'changed' | 'removed';
  path: BytePath;
  /** For changed names. */
  aspects: { aspect: Aspect; before: string; after: string }[];
}

/** Compares two trees name by name; names in byte order, a directory before what is in it. */
export function treeChanges(before: FileTree, after: FileTree, ignored: ReadonlySet<Aspect>): TreeChange[] {
  const changes: TreeChange[] = [];
  const all = (tree: FileTree, kind: 'added' | 'removed', path: BytePath): void => {
    changes.push({ kind, path, aspects: [] });
    for (const name of tree.readdir(path)) all(tree, kind, joinPath(path, name));
  };
  const visit = (path: BytePath): void => {
    const names = new Set([...before.readdir(path), ...after.readdir(path)]);
    for (const name of [...names].sort()) {
      const child = joinPath(path, name);
      const [old, young] = [before.lstat(child), after.lstat(child)];
      if (old === undefined) all(after, 'added', child);
      else if (young === undefined) all(before, 'removed', child);
      else {
        const aspects = aspectsOf([before, old], [after, young], child).filter(
          ({ aspect }) => !ignored.has(aspect),
        );
        if (aspects.length > 0) changes.push({ kind: 'changed', path: child, aspects });
        visit(child);
      }
    }
  };
  visit('');
  return changes;
}

function aspectsOf(
  [oldTree, old]: [FileTree, FileNode],
  [youngTree, young]: [FileTree, FileNode],
  path: BytePath,
): TreeChange['aspects'] {
  const aspects: TreeChange['aspects'] = [];
  const compare = (aspect: Aspect, before: string, after: string): void => {
    if (before !== after) aspects.push({ aspect, before, after });
  };
  compare('type', old.type, young.type);
  compare('mode', octal(old), octal(young));
  compare('owner', owner(old), owner(young));
  compare('time', showTime(old.mtimeNs), showTime(young.mtimeNs));
  compare('attributes', attributes(old), attributes(young));
  if (old.type !== young.type) return aspects;
  if (old.type === 'file') compare('content', oldTree.sha256(path), youngTree.sha256(path));
  if (old.type === 'symlink') compare('link', old.link ?? '', young.link ?? '');
  if (old.type === 'char' || old.type === 'block') compare('device', device(old), device(young));
  return aspects;
}

function octal({ mode }: FileNode): string {
  return mode.toString(8).padStart(4, '0');
}

function owner({ uid, gid }: FileNode): string {
  return `${uid}:${gid}`;
}

function device({ major = 0, minor = 0 }: FileNode): string {
  return `${major}:${minor}`;
}

function attributes({ xattrs }: FileNode): string {
  const names = [...(xattrs ?? [])].map(([name, value]) => `${name}=0x${value.toString('hex')}`);
  return names.sort().join(' ');
}
