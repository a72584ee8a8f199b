import { createHash } from 'node:crypto';
import type { FileNode, FileTree } from '../../src/context/file-tree.ts';
import type { BytePath } from '../../src/sys/bytes.ts';

/** A tree for tests that needs no disk: `a/b` → content, `-> x` → a link to x, `dir/` → an empty directory. */
export function memoryTree(
  files: Record<BytePath, string | (Partial<FileNode> & { content?: string })>,
): FileTree {
  const nodes = new Map<BytePath, FileNode & { content: string }>();
  const base = { mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, content: '' };
  const directory = (path: BytePath): void => {
    if (nodes.has(path)) return;
    if (path !== '') directory(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');
    nodes.set(path, { ...base, type: 'directory', mode: 0o755 });
  };
  directory('');
  for (const [written, what] of Object.entries(files)) {
    const path = written.replace(/\/$/, '');
    if (path.includes('/')) directory(path.slice(0, path.lastIndexOf('/')));
    const extra = typeof what === 'string' ? { content: what } : what;
    const content = extra.content ?? '';
    if (written.endsWith('/'))
      nodes.set(path, { ...base, type: 'directory', mode: 0o755, ...extra, content });
    else if (content.startsWith('-> '))
      nodes.set(path, { ...base, type: 'symlink', mode: 0o777, link: content.slice(3), ...extra, content });
    else nodes.set(path, { ...base, type: 'file', size: content.length, ...extra, content });
  }
  return {
    lstat: (path) => nodes.get(path),
    readdir: (path) => {
      const prefix = path === '' ? '' : `${path}/`;
      const below = [...nodes.keys()].filter((name) => name !== '' && name.startsWith(prefix));
      return below
        .map((name) => name.slice(prefix.length))
        .filter((name) => !name.includes('/'))
        .sort();
    },
    sha256: (path) => createHash('sha256').update(nodes.get(path)!.content).digest('hex'),
  };
}
