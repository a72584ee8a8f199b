import type { LayerEntry, Override, Overrides } from './types.ts';
import type { Inode, TreeNode } from './unpack-tree.ts';

/**
 * The listing of an unpacked layer, in the packer's order, and what its directory holds wrongly. The root is in it
 * only where the packer would write it.
 */
export function collectLayer(root: TreeNode): { entries: LayerEntry[]; overrides: Overrides; size: number } {
  const entries: LayerEntry[] = [];
  const overrides: Overrides = new Map();
  const firstNames = new Map<Inode, string>();
  let size = 0;

  const visit = (node: TreeNode): void => {
    const { path, inode } = node;
    const { refused, sha256, ...metadata } = inode;
    const first = node.children === undefined ? firstNames.get(inode) : undefined;
    const entry: LayerEntry = { path, ...metadata };
    if (first !== undefined) {
      entry.hardLink = first;
    } else {
      firstNames.set(inode, path);
      size += inode.size;
      if (sha256 !== undefined) entry.sha256 = sha256;
      if (refused) overrides.set(path, overrideOf(inode));
    }
    if (node.opaque) entry.opaque = true;
    if (path !== '' || !plainRoot(entry)) entries.push(entry);
    if (node.children === undefined) return;
    for (const name of [...node.children.keys()].sort()) visit(node.children.get(name)!);
  };
  visit(root);
  return { entries, overrides, size };
}

function plainRoot({ mode, uid, gid, xattrs, opaque }: LayerEntry): boolean {
  return mode === 0o755 && uid === 0 && gid === 0 && xattrs === undefined && !opaque;
}

function overrideOf({ type, mode, uid, gid, mtimeNs, major, minor, xattrs }: Inode): Override {
  const override: Override = { type, mode, uid, gid, mtimeNs };
  if (major !== undefined) override.major = major;
  if (minor !== undefined) override.minor = minor;
  if (xattrs !== undefined) override.xattrs = xattrs;
  return override;
}
