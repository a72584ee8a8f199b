import { createHash, type Hash } from 'node:crypto';
import { joinPath } from '../context/clean-path.ts';
import type { FileNode, FileTree } from '../context/file-tree.ts';
import { normalMode } from '../context/normal-mode.ts';
import type { SelectedEntry, Selection } from '../context/selection.ts';
import type { BytePath } from '../sys/bytes.ts';

/** Version of what is hashed below: another format gives other keys. */
const FORMAT = 'slipway selection 1\n';
const CHUNK_BYTES = 1 << 20;

export interface DigestOptions {
  /** `--chown` sets owners: those of the source are not seen. */
  ignoreOwner?: boolean;
  /** An octal `--chmod` sets modes: those of the source are not seen. (A symbolic one builds on them.) */
  ignoreMode?: boolean;
  /** Modes count as `normalMode` gives them. */
  normalizeModes?: boolean;
  signal?: AbortSignal;
}

/**
 * Digest of what a selection brings into an image (DESIGN.md, decision 5): path, type, mode, owner, size, link text,
 * which entries are hard links of each other, device numbers, extended attributes, content. Not: times, inode
 * numbers, link counts, and where in the tree the files lay.
 *
 * @returns SHA-256, hex
 * @throws SlipwayError `changed`, `denied`, `canceled` from reading the files
 */
export async function digestSelection(
  tree: FileTree,
  selection: Selection,
  options: DigestOptions = {},
): Promise<string> {
  const digests = await digestsOf(tree, unknownPaths(selection), options.signal);
  let next = 0;
  const writer = new HashWriter();
  writer.text(FORMAT);
  writer.number((options.ignoreOwner ? 1 : 0) | (options.ignoreMode ? 2 : 0));
  for (const source of selection.sources) {
    const directory = source.node.type === 'directory';
    writer.number(directory ? 1 : 0);
    // The content of a directory goes under the destination's name, a file may go under its own.
    writer.text(directory ? '' : source.name);
    writer.number(source.entries.length);
    const firstNames = new Map<string, number>();
    source.entries.forEach((entry, index) => {
      const digest = entry.node.type === 'file' ? (entry.node.known?.sha256 ?? digests[next++]) : undefined;
      const first = entry.node.inode === undefined ? undefined : firstNames.get(entry.node.inode);
      if (first !== undefined) {
        writer.text(entry.path);
        writer.text('hard link');
        writer.number(first);
        return;
      }
      if (entry.node.inode !== undefined) firstNames.set(entry.node.inode, index);
      writeEntry(writer, entry, options);
      if (digest !== undefined) writer.hex(digest);
    });
  }
  return writer.digest();
}

async function digestsOf(
  tree: FileTree,
  paths: BytePath[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (tree.sha256All !== undefined) return await tree.sha256All(paths, signal);
  return paths.map((path) => tree.sha256(path));
}

/** A tree that keeps what it knows with its nodes does so for these too, once they are hashed; another knows none. */
function unknownPaths(selection: Selection): BytePath[] {
  const paths: BytePath[] = [];
  for (const source of selection.sources)
    for (const entry of source.entries)
      if (entry.node.type === 'file' && entry.node.known?.sha256 === undefined)
        paths.push(pathInTree(source.path, entry.path));
  return paths;
}

function pathInTree(source: BytePath, entry: BytePath): BytePath {
  return entry === '' ? source : joinPath(source, entry);
}

function writeEntry(writer: HashWriter, entry: SelectedEntry, options: DigestOptions): void {
  const { node } = entry;
  writer.text(entry.path);
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

function modeOf(node: FileNode, { normalizeModes }: DigestOptions): number {
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

/** Collects small values into large updates; every value has its length in front or a fixed one. */
class HashWriter {
  readonly #hash: Hash = createHash('sha256');
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #used = 0;

  /** Bytes as latin1. */
  text(value: string): void {
    this.number(value.length);
    if (value.length > CHUNK_BYTES) {
      this.#flush();
      this.#hash.update(value, 'latin1');
      return;
    }
    this.#reserve(value.length);
    this.#used += this.#chunk.write(value, this.#used, 'latin1');
  }

  hex(value: string): void {
    this.#reserve(value.length / 2);
    this.#used += this.#chunk.write(value, this.#used, 'hex');
  }

  /** An integer up to 2^53. */
  number(value: number): void {
    this.#reserve(8);
    this.#used = this.#chunk.writeDoubleLE(value, this.#used);
  }

  digest(): string {
    this.#flush();
    return this.#hash.digest('hex');
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes > CHUNK_BYTES) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#chunk.subarray(0, this.#used));
    this.#used = 0;
  }
}
