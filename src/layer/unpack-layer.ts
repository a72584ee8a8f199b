import { chmodSync, linkSync, mkdirSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { type BytePath, bytesOf, fsPath, textOf } from '../sys/bytes.ts';
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../sys/constants.ts';
import type { Sys } from '../sys/sys.ts';
import { throwIfAborted } from './abort.ts';
import { joinPath, pathNames } from './paths.ts';
import { badTar, type TarHandler, type TarHeader } from './tar-format.ts';
import type { LayerEntry, Overrides } from './types.ts';
import { collectLayer } from './unpack-collect.ts';
import { ContentWriter } from './unpack-content.ts';
import { UnpackLimits } from './unpack-limits.ts';
import { MetadataWriter } from './unpack-metadata.ts';
import { type Inode, LayerTree, type TreeNode } from './unpack-tree.ts';
import type { UnpackOptions } from './unpack-types.ts';
import { OPAQUE_MARK, WHITEOUT_PREFIX, whiteoutEntry } from './whiteout.ts';
import { opaqueName, portableCapability, xattrTravels } from './xattr-rules.ts';

/** Turns the entries of an archive into names of a layer directory. One archive, one writer. */
export class LayerWriter implements TarHandler {
  readonly warnings: string[] = [];
  readonly #base: BytePath;
  readonly #sys: Sys;
  readonly #options: UnpackOptions;
  readonly #metadata: MetadataWriter;
  readonly #tree: LayerTree;
  readonly #limits: UnpackLimits;
  #file: { content: ContentWriter; node: TreeNode; mode: number } | undefined;
  /** Time of the entry at hand, for parents that it makes. */
  #mtimeNs = 0n;
  /** Parents without an entry, as far as a lower layer may say what they are: once all layers below are there. */
  readonly #inherited = new Map<Inode, BytePath>();

  constructor(dir: string, sys: Sys, options: UnpackOptions) {
    this.#base = bytesOf(dir);
    this.#sys = sys;
    this.#options = options;
    this.#limits = new UnpackLimits(options);
    this.#metadata = new MetadataWriter(sys, this.warnings);
    // Owner and mode are set at the end; until then a setgid bit would reach the files, a mask keep us out.
    chmodSync(dir, 0o700);
    this.#tree = new LayerTree(this.#implicit('', true), (path, below) => {
      const at = fsPath(this.#full(path));
      if (below === 'whited-out') unlinkSync(at);
      mkdirSync(at, 0o700);
      return this.#implicit(path, below === 'visible');
    });
  }

  entry(header: TarHeader): void {
    this.#limits.count(header);
    if ((this.#limits.entries & 127) === 0) throwIfAborted(this.#options.aborted);
    const names = pathNames(header.path);
    const name = names.pop();
    this.#mtimeNs = header.mtimeNs;
    if (name === undefined) {
      if (header.type !== 'directory')
        throw badTar('TAR_ROOT', 'a tar entry would replace the root directory');
      this.#tree.root.inode = inodeOf(header);
      return;
    }
    if (name.startsWith(WHITEOUT_PREFIX)) {
      this.#whiteout(names, name);
      return;
    }
    const parent = this.#tree.directory(names);
    const existing = parent.children!.get(name);
    if (header.type === 'hardlink') {
      this.#hardLink(header, parent, name);
    } else if (header.type === 'directory' && existing?.children !== undefined) {
      existing.inode = inodeOf(header);
    } else {
      if (existing !== undefined) this.#remove(existing);
      this.#create(header, parent, name);
      // What the whiteout hid stays hidden below the directory that takes its place.
      if (existing?.inode.type === 'whiteout' && header.type === 'directory') {
        parent.children!.get(name)!.opaque = true;
      }
    }
  }

  data(chunk: Buffer, offset: number): void {
    this.#file?.content.write(chunk, offset);
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    const { content, node, mode } = file;
    try {
      node.inode.sha256 = content.finish();
      this.#metadata.applyToFile(this.#full(node.path), node.inode, { fd: content.fd, mode });
    } finally {
      content.close();
    }
  }

  /** Closes a file that an error left open. */
  close(): void {
    this.#file?.content.close();
    this.#file = undefined;
  }

  /** Gives directories their metadata, deepest first, and says what the layer holds. */
  finish(): { entries: LayerEntry[]; overrides: Overrides; size: number } {
    this.#inherit();
    this.#finishDirectory(this.#tree.root);
    return collectLayer(this.#tree.root);
  }

  #finishDirectory(node: TreeNode): void {
    for (const child of node.children!.values()) {
      if (child.children !== undefined) this.#finishDirectory(child);
    }
    throwIfAborted(this.#options.aborted);
    const full = this.#full(node.path);
    if (node.opaque) {
      this.#sys.lsetxattr(fsPath(full), opaqueName(this.#options.userxattr ?? false), Buffer.from('y'));
    }
    this.#metadata.apply(full, node.inode);
  }

  #create(header: TarHeader, parent: TreeNode, name: BytePath): void {
    const path = joinPath(parent.path, name);
    const full = this.#full(path);
    const node: TreeNode = { path, parent, inode: inodeOf(header) };
    const { inode } = node;
    switch (header.type) {
      case 'directory':
        mkdirSync(fsPath(full), 0o700);
        node.children = new Map();
        break;
      case 'file': {
        const mode = this.#metadata.createdMode(inode.mode);
        const content = new ContentWriter(full, inode.size, { mode, aborted: this.#options.aborted });
        this.#file = { content, node, mode };
        break;
      }
      case 'symlink':
        if (inode.link === '') throw badTar('TAR_LINK', 'a symbolic link in a tar archive has no target');
        symlinkSync(fsPath(inode.link!), fsPath(full));
        this.#metadata.apply(full, inode);
        break;
      case 'fifo':
        this.#sys.mknod(fsPath(full), S_IFIFO | 0o600, 0, 0);
        this.#metadata.apply(full, inode);
        break;
      default:
        this.#device(full, inode);
    }
    parent.children!.set(name, node);
  }

  /** Without the privilege for devices an empty file keeps the place. */
  #device(full: BytePath, inode: Inode): void {
    const { type, major = 0, minor = 0 } = inode;
    if (type === 'char' && major === 0 && minor === 0) {
      throw badTar(
        'TAR_DEVICE',
        'a tar entry is a character device 0:0, which overlayfs takes for a whiteout',
      );
    }
    // The kernel has 12 and 20 bits for them; cut off, other numbers could become 0:0.
    if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
      throw badTar('TAR_DEVICE', `a tar entry is a device ${major}:${minor}, which Linux does not have`);
    }
    try {
      this.#sys.mknod(fsPath(full), (type === 'char' ? S_IFCHR : S_IFBLK) | 0o600, major, minor);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
      inode.refused = true;
      new ContentWriter(full, 0, { mode: 0o600, aborted: undefined }).close();
    }
    this.#metadata.apply(full, inode);
  }

  /** Docker and containerd, too, know only names of the same layer; an absolute name counts from the root. */
  #hardLink(header: TarHeader, parent: TreeNode, name: BytePath): void {
    const targetNames = pathNames(header.link ?? '');
    const targetName = targetNames.pop();
    const target =
      targetName === undefined ? undefined : this.#tree.find(targetNames)?.children?.get(targetName);
    if (target === undefined || target.children !== undefined || target.inode.type === 'whiteout') {
      const text = `/${textOf(header.path)}: a hard link to ${textOf(header.link ?? '')}`;
      throw badTar('TAR_LINK_TARGET', `${text}, which is not a file of this layer`);
    }
    const existing = parent.children!.get(name);
    if (existing === target) return;
    if (existing !== undefined) this.#remove(existing);
    if (
      target.parent?.children?.get(targetName!) !== target ||
      this.#tree.find(targetNames) !== target.parent
    ) {
      throw badTar(
        'TAR_LINK_TARGET',
        `/${textOf(header.path)}: a hard link takes the place of its own target`,
      );
    }
    const path = joinPath(parent.path, name);
    linkSync(fsPath(this.#full(target.path)), fsPath(this.#full(path)));
    parent.children!.set(name, { path, parent, inode: target.inode });
  }

  /**
   * A whiteout hides names of lower layers only (image-spec, layer.md): what this layer itself has at that path
   * stays, wherever in the archive it stands.
   */
  #whiteout(names: BytePath[], mark: BytePath): void {
    if (mark === OPAQUE_MARK) {
      this.#tree.directory(names).opaque = true;
      return;
    }
    // aufs left other such names in old images; they have no meaning.
    if (mark.startsWith('.wh..wh.')) return;
    const name = mark.slice(WHITEOUT_PREFIX.length);
    if (name === '' || name === '.' || name === '..') {
      throw badTar('TAR_WHITEOUT', `a tar archive has a whiteout of ${JSON.stringify(name)}`);
    }
    const parent = this.#tree.directory(names);
    const existing = parent.children!.get(name);
    if (existing !== undefined) {
      if (existing.children !== undefined) existing.opaque = true;
      return;
    }
    const path = joinPath(parent.path, name);
    const { path: _, ...entry } = whiteoutEntry(path);
    const inode: Inode = entry;
    try {
      this.#sys.mknod(fsPath(this.#full(path)), S_IFCHR, 0, 0);
    } catch (error) {
      // On an overlayfs a whiteout would be its own.
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
      inode.refused = true;
      new ContentWriter(this.#full(path), 0, { mode: 0, aborted: undefined }).close();
    }
    parent.children!.set(name, { path, parent, inode });
  }

  #remove(node: TreeNode): void {
    const at = fsPath(this.#full(node.path));
    if (node.children === undefined) {
      unlinkSync(at);
    } else {
      for (const child of node.children.values()) this.#remove(child);
      rmdirSync(at);
    }
    node.parent!.children!.delete(node.path.slice(node.path.lastIndexOf('/') + 1));
    this.#tree.changed();
  }

  #implicit(path: BytePath, lowerVisible: boolean): Inode {
    const mtimeNs = this.#mtimeNs;
    const inode: Inode = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs };
    if (lowerVisible && this.#options.lowerDirectory !== undefined) this.#inherited.set(inode, path);
    return inode;
  }

  #inherit(): void {
    for (const [inode, path] of this.#inherited) {
      const lower = this.#options.lowerDirectory!(path);
      if (lower === undefined) continue;
      const { mode, uid, gid, mtimeNs, xattrs } = lower;
      Object.assign(inode, { mode, uid, gid, mtimeNs });
      if (xattrs !== undefined && xattrs.size > 0) inode.xattrs = xattrs;
    }
  }

  #full(path: BytePath): BytePath {
    return path === '' ? this.#base : `${this.#base}/${path}`;
  }
}

/** What the header says of the inode, without what does not travel. */
function inodeOf(header: TarHeader): Inode {
  const { type, mode, uid, gid, size, mtimeNs, link, major = 0, minor = 0, xattrs } = header;
  if (type === 'hardlink') throw new TypeError('a hard link has no inode of its own');
  // Linux gives every symbolic link this mode.
  const inode: Inode = { type, mode: type === 'symlink' ? 0o777 : mode, uid, gid, size, mtimeNs };
  if (type === 'symlink') inode.link = link ?? '';
  if (type === 'char' || type === 'block') Object.assign(inode, { major, minor });
  if (xattrs !== undefined) {
    const kept = [...xattrs].filter(([name]) => xattrTravels(name)).sort(([a], [b]) => (a < b ? -1 : 1));
    if (kept.length > 0) {
      inode.xattrs = new Map(
        kept.map(([n, v]) => [n, n === 'security.capability' ? portableCapability(v) : v]),
      );
    }
  }
  return inode;
}
