import type { FileTree } from '../context/file-tree.ts';
import { normalMode } from '../context/normal-mode.ts';
import type { Selection } from '../context/selection.ts';
import type { SelectedFile, SelectedSource } from '../execute/executor.ts';
import { packFiles, WORTH_PACKING } from '../execute/protocol/packed-files.ts';
import type { BytePath } from '../sys/bytes.ts';

interface SelectedOptions {
  /** Modes as git knows them ({@link normalMode}). */
  normalizeModes?: boolean | undefined;
  /** Packs the files of a large source as they are made: as objects, 200,000 take 50 MB. */
  pack: boolean;
}

/** A selection as the executor takes it: with every file's digest, and hard links among the selected names. */
export function selectedSources(
  tree: FileTree,
  selection: Selection,
  options: SelectedOptions,
): SelectedSource[] {
  return selection.sources.map((source) => {
    const { path, name, node, entries } = source;
    const files = selectedFiles(tree, source, options);
    const one = { path, name, directory: node.type === 'directory' };
    if (options.pack && entries.length >= WORTH_PACKING)
      return { ...one, files: [], packed: packFiles(files) };
    return { ...one, files: [...files] };
  });
}

function* selectedFiles(
  tree: FileTree,
  { path, entries }: Selection['sources'][number],
  { normalizeModes = false }: SelectedOptions,
): Generator<SelectedFile> {
  const firstNames = new Map<string, BytePath>();
  for (const entry of entries) {
    const { type, mode, uid, gid, size, mtimeNs, link, inode, major, minor, xattrs } = entry.node;
    const file: SelectedFile = { path: entry.path, type, mode, size, mtimeNs: String(mtimeNs) };
    // Most are root's, and there may be many.
    if (uid !== 0) file.uid = uid;
    if (gid !== 0) file.gid = gid;
    if (major !== undefined) file.major = major;
    if (minor !== undefined) file.minor = minor;
    if (normalizeModes && normalMode(entry.node) !== mode) file.newMode = normalMode(entry.node);
    if (link !== undefined) file.link = link;
    if (xattrs !== undefined && xattrs.size > 0) {
      file.xattrs = [...xattrs].map(([key, value]) => [key, value.toString('base64')]);
    }
    const first = inode === undefined ? undefined : firstNames.get(inode);
    if (first !== undefined && type !== 'directory') file.hardLink = first;
    else if (inode !== undefined) firstNames.set(inode, entry.path);
    if (type === 'file' && file.hardLink === undefined) {
      file.sha256 = entry.node.known?.sha256 ?? tree.sha256(joinPath(path, entry.path));
    }
    yield file;
  }
}

function joinPath(directory: BytePath, name: BytePath): BytePath {
  if (directory === '') return name;
  return name === '' ? directory : `${directory}/${name}`;
}
