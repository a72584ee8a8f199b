import type { FileNode } from '../context/file-tree.ts';
import { normalMode } from '../context/normal-mode.ts';
import type { BytePath } from '../sys/bytes.ts';
import type { HashWriter } from './hash-writer.ts';

export interface NodeOptions {
  /** `--chown` sets owners: those of the source are not seen. */
  ignoreOwner?: boolean;
  /** An octal `--chmod` sets modes: those of the source are not seen. (A symbolic one builds on them.) */
  ignoreMode?: boolean;
  /** Modes count as `normalMode` gives them. */
  normalizeModes?: boolean;
}

/** Everything of a name that an image can show, but for its content. */
export function writeNode(writer: HashWriter, name: BytePath, node: FileNode, options: NodeOptions): void {
  writer.text(name);
  writer.text(node.type);
  // The mode of a symbolic link means nothing and differs between file systems.
  if (!options.ignoreMode) writer.number(node.type === 'symlink' ? 0o777 : modeOf(node, options));
  if (!options.ignoreOwner) {
    writer.number(node.uid);
    writer.number(node.gid);
  }
  writer.number(node.size);
  writer.text(node.link ?? '');
  if (node.type === 'char' || node.type === 'block') {
    writer.number(node.major ?? 0);
    writer.number(node.minor ?? 0);
  }
  writeXattrs(writer, node);
}

/** Options that give other digests, as a text. */
export function nodeOptionsName({ ignoreOwner, ignoreMode, normalizeModes }: NodeOptions): string {
  return [ignoreOwner, ignoreMode, normalizeModes].map((option) => (option ? '1' : '0')).join('');
}

function modeOf(node: FileNode, { normalizeModes }: NodeOptions): number {
  return normalizeModes === true ? normalMode(node) : node.mode;
}

function writeXattrs(writer: HashWriter, node: FileNode): void {
  const names = node.xattrs === undefined ? [] : [...node.xattrs.keys()].sort();
  writer.number(names.length);
  for (const name of names) {
    writer.text(Buffer.from(name, 'utf8').toString('latin1'));
    writer.text(node.xattrs!.get(name)!.toString('latin1'));
  }
}
