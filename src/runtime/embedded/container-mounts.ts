import { posix } from 'node:path';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_RECURSIVE,
  MOUNT_ATTR_RDONLY,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} from '../../sys/constants.ts';
import type { SyscallScript, Tolerated } from './syscall-script.ts';

const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;

const [EPERM, ENOENT, EEXIST, ENOTDIR, EROFS, EINVAL, EACCES] = [1, 2, 17, 20, 30, 22, 13];
export const errnos = { EPERM, ENOENT, EEXIST, ENOTDIR, EROFS, EINVAL, EACCES } as const;

/** A file system to make: its type, its own options and `MOUNT_ATTR_*` of the mount. */
export interface NewFilesystem {
  type: string;
  data?: readonly { key: string; value: string | undefined }[];
  attributes: number;
}

/** A bind mount to make. */
export interface Bind {
  /** A path of the worker, or inside `root` if that is given. */
  source: string;
  root?: string | undefined;
  attributes: number;
  recursive?: boolean;
}

/**
 * Writes the mounts of one container into a script. Every target is opened inside the root directory by
 * openat2(2) at the moment it is needed, and mounts are attached to that descriptor: no symbolic link of an image
 * leads out, and nothing can be swapped in between.
 */
export class ContainerMounts {
  readonly script: SyscallScript;
  /** Descriptor of the root directory. */
  readonly root: number;

  constructor(script: SyscallScript, root: number) {
    this.script = script;
    this.root = root;
  }

  /** Opens a path of the container, links resolved inside; with `noLinks` a link is an error (ELOOP). */
  target(path: string, noLinks = false): number {
    return this.openIn(this.root, path, RESOLVE_IN_ROOT | (noLinks ? RESOLVE_NO_SYMLINKS : 0));
  }

  /** Makes a file system and mounts it at a path of the container. */
  mountNew(path: string, filesystem: NewFilesystem, noLinks = false): void {
    this.script.scope(() => {
      const target = this.target(path, noLinks);
      this.attach(this.newFilesystem(filesystem), target);
    });
  }

  /** Binds a file or directory at a path of the container. */
  mountBind(path: string, bind: Bind): void {
    this.script.scope(() => {
      const target = this.target(path);
      this.attach(this.cloneTree(bind), target);
    });
  }

  /** A detached mount of a new file system. */
  newFilesystem({ type, data = [], attributes }: NewFilesystem): number {
    const { script } = this;
    const context = script.open('fsopen', [script.string(type), FSOPEN_CLOEXEC]);
    for (const { key, value } of [{ key: 'source', value: type }, ...data]) {
      const command = value === undefined ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
      const text = value === undefined ? 0 : script.string(value);
      script.call('fsconfig', [context, command, script.string(key), text, 0]);
    }
    script.call('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0]);
    return script.open('fsmount', [context, FSMOUNT_CLOEXEC, attributes]);
  }

  /** A detached bind mount with its attributes set before anyone can see it. */
  cloneTree({ source, root, attributes, recursive = false }: Bind): number {
    const { script } = this;
    const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
    let tree: number;
    if (root === undefined) {
      tree = script.open('open_tree', [AT_FDCWD, script.string(source), flags]);
    } else {
      const directory = script.open('openat', [AT_FDCWD, script.string(root), O_PATH | O_CLOEXEC]);
      const inside = this.openIn(directory, source, RESOLVE_IN_ROOT);
      tree = script.open('open_tree', [inside, script.string(''), flags | AT_EMPTY_PATH]);
    }
    if (attributes) this.setAttributes(tree, attributes, recursive);
    return tree;
  }

  /** Sets `MOUNT_ATTR_*` on the mount of a descriptor; what it has already (also what is locked) stays. */
  setAttributes(fd: number, attributes: number, recursive = false): void {
    const { script } = this;
    const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    script.call('mount_setattr', [fd, script.string(''), flags, script.words([attributes, 0, 0, 0]), 32]);
  }

  /** Attaches a detached mount. */
  attach(mount: number, target: number): void {
    const { script } = this;
    const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    script.call('move_mount', [mount, script.string(''), target, script.string(''), flags]);
  }

  /**
   * Makes what is missing of a mount's target: directories, and a file at the end for a file. For targets that
   * lie on an earlier mount; those of the image itself are prepared, and cleaned up, by `prepareMountPoints`.
   */
  makeTarget(path: string, kind: 'file' | 'directory'): void {
    const { script } = this;
    const names = posix.normalize(path).split('/').filter(Boolean);
    const there: Tolerated = [EEXIST, EROFS, EPERM, EACCES];
    names.forEach((name, i) => {
      script.attempt([ENOENT, ENOTDIR], () => {
        const parent = this.target(`/${names.slice(0, i).join('/')}`);
        if (i === names.length - 1 && kind === 'file') {
          script.call('mknodat', [parent, script.string(name), S_IFREG | 0o644, 0], there);
        } else {
          script.call('mkdirat', [parent, script.string(name), 0o755], there);
        }
      });
    });
  }

  /** Hides a path: /dev/null over a file, an empty directory over a directory. Absent paths are skipped. */
  mask(path: string): void {
    const { script } = this;
    script.attempt([ENOENT], () => {
      const target = this.target(path, true);
      // move_mount(2) says EINVAL for a file over a directory.
      script.attempt(
        [ENOTDIR, EINVAL],
        () => this.attach(this.cloneTree({ source: '/dev/null', attributes: MOUNT_ATTR_RDONLY }), target),
        () => this.attach(this.newFilesystem({ type: 'tmpfs', attributes: MOUNT_ATTR_RDONLY }), target),
      );
    });
  }

  /** Makes a path of the container readable only, by a mount on itself. Absent paths are skipped. */
  makeReadonly(path: string): void {
    const { script } = this;
    script.attempt([ENOENT], () => {
      const target = this.target(path, true);
      const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
      const tree = script.open('open_tree', [target, script.string(''), flags]);
      this.setAttributes(tree, MOUNT_ATTR_RDONLY, true);
      this.attach(tree, target);
    });
  }

  private openIn(directory: number, path: string, resolve: number): number {
    const { script } = this;
    // struct open_how: flags, mode, resolve. Magic links of /proc would leave the root.
    const how = script.words([O_PATH | O_CLOEXEC, 0, resolve | RESOLVE_NO_MAGICLINKS]);
    return script.openAgain(4, 'openat2', [directory, script.string(path), how, 24]);
  }
}
