import { baseName, joinPath, parentOf } from '../context/clean-path.ts';
import type { FileNode, FileTree, NamedNode } from '../context/file-tree.ts';
import type { SelectedSource } from '../context/selection.ts';
import { childrenOf } from '../context/walk-entries.ts';
import type { BytePath } from '../sys/bytes.ts';
import { HashWriter } from './hash-writer.ts';
import { type NodeOptions, nodeOptionsName, writeNode } from './node-digest.ts';

/** Digests of directories, each made of those of what it holds. */
export interface DirectoryDigests {
  /** Of a directory's content without the directory itself: SHA-256, hex. */
  digestOf(path: BytePath): string;
}

export interface DirectoryOptions extends NodeOptions {
  /** Hex digest of a file's content. */
  contentOf: (path: BytePath, node: FileNode) => string;
}

/** What is known of the directories of a tree: it does not change as long as it lives. */
const kept = new WeakMap<FileTree, Map<string, Map<BytePath, string>>>();

/** Of directories as the tree has them. They are remembered with the tree. */
export function treeDirectories(tree: FileTree, options: DirectoryOptions): DirectoryDigests {
  const ofTree = kept.get(tree) ?? new Map<string, Map<BytePath, string>>();
  kept.set(tree, ofTree);
  const name = nodeOptionsName(options);
  const known = ofTree.get(name) ?? new Map<BytePath, string>();
  ofTree.set(name, known);
  return digestsOf({ children: (path) => childrenOf(tree, path), known, options });
}

/** Of directories of which a selection has only a part. */
export function listedDirectories(
  { path: root, entries }: SelectedSource,
  options: DirectoryOptions,
): DirectoryDigests {
  const children = new Map<BytePath, NamedNode[]>();
  for (const { path, node } of entries) {
    if (path === '') continue;
    const above = parentOf(path);
    const parent = above === '' ? root : joinPath(root, above);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [{ name: baseName(path), node }]);
    else siblings.push({ name: baseName(path), node });
  }
  return digestsOf({ children: (path) => children.get(path) ?? [], known: new Map(), options });
}

interface Work {
  children: (path: BytePath) => readonly NamedNode[];
  known: Map<BytePath, string>;
  options: DirectoryOptions;
}

function digestsOf({ children, known, options }: Work): DirectoryDigests {
  const writer = new HashWriter();
  const digestOf = (path: BytePath): string => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const names = children(path);
    // The writer serves one directory at a time: those below come first.
    for (const { name, node } of names) if (node.type === 'directory') digestOf(joinPath(path, name));
    for (const { name, node } of names) {
      writeNode(writer, name, node, options);
      if (node.type === 'file') writer.hex(options.contentOf(joinPath(path, name), node));
      else if (node.type === 'directory') writer.hex(known.get(joinPath(path, name))!);
    }
    const digest = writer.digest();
    known.set(path, digest);
    return digest;
  };
  return { digestOf };
}
