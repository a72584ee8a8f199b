import type { BytePath } from '../sys/bytes.ts';
import { joinPath } from './paths.ts';
import { badTar } from './tar-format.ts';
import type { LayerEntry } from './types.ts';

/** Metadata and content of one inode of the layer, whatever names it has. */
export interface Inode extends Omit<LayerEntry, 'path' | 'hardLink' | 'opaque'> {
  /** The disk holds it differently from what this says. */
  refused?: boolean;
}

/** A name that the layer made. Directories know what they hold. */
export interface TreeNode {
  path: BytePath;
  parent: TreeNode | undefined;
  inode: Inode;
  children?: Map<BytePath, TreeNode>;
  opaque?: boolean;
}

/**
 * Makes a directory that has no entry (yet) and says what it is. `below`: whether lower layers show through, are
 * hidden by a parent, or by a whiteout that stands at this very path.
 */
export type MakeDirectory = (path: BytePath, below: 'visible' | 'hidden' | 'whited-out') => Inode;

const maximumLinks = 40;

/**
 * What has been unpacked so far. All decisions are made on this and none by asking the disk, which holds nothing
 * else: so no symbolic link is ever followed by the kernel.
 */
export class LayerTree {
  readonly root: TreeNode;
  readonly #makeDirectory: MakeDirectory;
  #lastPath: BytePath | undefined;
  #last: TreeNode | undefined;

  constructor(root: Inode, makeDirectory: MakeDirectory) {
    this.root = { path: '', parent: undefined, inode: root, children: new Map() };
    this.#makeDirectory = makeDirectory;
  }

  /**
   * The directory that these names lead to from the root. Links of this layer are resolved inside it, component by
   * component; missing directories are made. Throws `invalid` if a name on the way is not a directory.
   */
  directory(names: readonly BytePath[]): TreeNode {
    const path = names.join('/');
    if (this.#last !== undefined && path === this.#lastPath) return this.#last;
    this.#last = this.#resolve(names, true)!;
    this.#lastPath = path;
    return this.#last;
  }

  /** As `directory`, but makes nothing: undefined if there is no such directory. */
  find(names: readonly BytePath[]): TreeNode | undefined {
    return this.#resolve(names, false);
  }

  /** Forgets what `directory` found: names were removed or replaced. */
  changed(): void {
    this.#last = undefined;
  }

  #resolve(names: readonly BytePath[], make: boolean): TreeNode | undefined {
    const left = names.toReversed();
    let node = this.root;
    let links = 0;
    while (left.length > 0) {
      const name = left.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        node = node.parent ?? this.root;
        continue;
      }
      const child = node.children!.get(name);
      if (child === undefined || child.inode.type === 'whiteout') {
        if (!make) return undefined;
        node = this.#make(node, name, child !== undefined);
      } else if (child.children !== undefined) {
        node = child;
      } else if (child.inode.type === 'symlink') {
        if (++links > maximumLinks)
          throw badTar('TAR_LINK_LOOP', 'too many symbolic links in a path of a tar entry');
        const target = child.inode.link!;
        if (target.startsWith('/')) node = this.root;
        left.push(...target.split('/').reverse());
      } else {
        throw badTar('NOT_A_DIRECTORY', `a tar entry lies below /${child.path}, which is not a directory`);
      }
    }
    return node;
  }

  #make(parent: TreeNode, name: BytePath, whitedOut: boolean): TreeNode {
    const path = joinPath(parent.path, name);
    const below = whitedOut ? 'whited-out' : this.#hidden(parent) ? 'hidden' : 'visible';
    const inode = this.#makeDirectory(path, below);
    const node: TreeNode = { path, parent, inode, children: new Map() };
    if (whitedOut) node.opaque = true;
    parent.children!.set(name, node);
    return node;
  }

  #hidden(node: TreeNode): boolean {
    for (let at: TreeNode | undefined = node; at !== undefined; at = at.parent) if (at.opaque) return true;
    return false;
  }
}
