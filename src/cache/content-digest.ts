import { joinPath } from '../context/clean-path.ts';
import type { FileNode, FileTree } from '../context/file-tree.ts';
import { isNew } from '../context/new-files.ts';
import type { SelectedEntry, SelectedSource, Selection } from '../context/selection.ts';
import type { BytePath } from '../sys/bytes.ts';
import { type DirectoryDigests, listedDirectories, treeDirectories } from './directory-digests.ts';
import { HashWriter } from './hash-writer.ts';
import { type NodeOptions, writeNode } from './node-digest.ts';

/** Version of what is hashed: another format gives other keys. */
const FORMAT = 'slipway selection 2\n';

export interface DigestOptions extends NodeOptions {
  signal?: AbortSignal;
  /** Called when all files have been read: the digest comes some time later. */
  onRead?: (() => void) | undefined;
}

/**
 * Digest of what a selection brings into an image (DESIGN.md, decision 5): path, type, mode, owner, size, link text,
 * which entries are hard links of each other, device numbers, extended attributes, content. Not: times, inode
 * numbers, link counts, and where in the tree the files lay. Directories have digests of their own, made of those of
 * what they hold: one that is selected several times, alone or as part of another, is digested once per tree.
 *
 * @returns SHA-256, hex
 * @throws SlipwayError `changed`, `denied`, `canceled` from reading the files
 */
export async function digestSelection(
  tree: FileTree,
  selection: Selection,
  options: DigestOptions = {},
): Promise<string> {
  // Such a tree keeps with its nodes what it knows.
  if (tree.sha256All !== undefined) {
    await tree.sha256All(unknownPaths(selection), options.signal);
    options.onRead?.();
  }
  const contentOf = (path: BytePath, node: FileNode): string => node.known?.sha256 ?? tree.sha256(path);
  const writer = new HashWriter();
  writer.text(FORMAT);
  writer.number((options.ignoreOwner ? 1 : 0) | (options.ignoreMode ? 2 : 0));
  for (const source of selection.sources) {
    if (source.node.type !== 'directory') {
      const node = source.entries[0]!.node;
      writer.number(0);
      // The content of a directory goes under the destination's name, a file may go under its own.
      writeNode(writer, source.name, node, options);
      if (node.type === 'file') writer.hex(contentOf(source.path, node));
      continue;
    }
    const directories = directoriesOf(tree, source, { ...options, contentOf });
    const own = source.entries[0]?.path === '' ? source.entries[0] : undefined;
    writer.number(own === undefined ? 1 : 2);
    if (own !== undefined) writeNode(writer, '', own.node, options);
    writer.hex(directories.digestOf(source.path));
    writeLinks(writer, source.entries);
  }
  return writer.digest();
}

function directoriesOf(
  tree: FileTree,
  source: SelectedSource,
  options: NodeOptions & { contentOf: (path: BytePath, node: FileNode) => string },
): DirectoryDigests {
  return source.whole ? treeDirectories(tree, options) : listedDirectories(source, options);
}

/** Names of one inode, each with the first one: the digests of directories know nothing of each other. */
function writeLinks(writer: HashWriter, entries: readonly SelectedEntry[]): void {
  let first: Map<string, BytePath> | undefined;
  for (const { path, node } of entries) {
    if (node.inode === undefined) continue;
    first ??= new Map();
    const other = first.get(node.inode);
    if (other === undefined) {
      first.set(node.inode, path);
      continue;
    }
    writer.text(path);
    writer.text(other);
  }
  // No length: the list ends here.
  writer.number(-1);
}

function unknownPaths(selection: Selection): BytePath[] {
  const paths: BytePath[] = [];
  for (const source of selection.sources)
    for (const entry of source.entries)
      if (isNew(entry.node)) paths.push(pathInTree(source.path, entry.path));
  return paths;
}

function pathInTree(source: BytePath, entry: BytePath): BytePath {
  return entry === '' ? source : joinPath(source, entry);
}
