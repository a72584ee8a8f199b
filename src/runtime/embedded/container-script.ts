import { posix } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import {
  AT_FDCWD,
  AT_RECURSIVE,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MS_PRIVATE,
  MS_REC,
  O_CLOEXEC,
  PR_SET_PDEATHSIG,
} from '../../sys/constants.ts';
import type { HostFacts } from '../host-facts.ts';
import { needsDirectory, parseMountOptions } from '../mount-options.ts';
import { resolveInside } from '../path-inside.ts';
import { maskedPaths, readonlyPaths } from '../standard-files.ts';
import type { ContainerSpec, Mount } from '../types.ts';
import { mountDevices } from './container-devices.ts';
import { ContainerMounts, errnos } from './container-mounts.ts';
import { bringLoopbackUp, joinCgroups, joinConsole, startProcess } from './container-process.ts';
import { REPORT_FD, type ScriptArch } from './machine-code.ts';
import { type ScriptProgram, SyscallScript } from './syscall-script.ts';

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SIGKILL = 9;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const OPEN_TREE_CLONE = 1;
const quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/** What the script depends on beside the specification. */
export interface ScriptOptions {
  arch: ScriptArch;
  facts: HostFacts;
  /** The slave of the container's terminal, a path of the worker. */
  console?: string;
  /** Which of descriptors 0 to 2 are pipes: they are given to the container's user, who may reopen them. */
  pipes: readonly number[];
  /** False: a filter of system calls cannot be set. Default true. */
  confined?: boolean;
  /** Files of cgroup.procs of the cgroups that it joins. */
  cgroups?: readonly string[];
}

/**
 * The program that turns the process it runs in, process 1 of a new pid namespace, into the container. Nothing of
 * the image runs before its last call. Throws `SlipwayError` for a specification that makes no sense.
 */
export function containerScript(spec: ContainerSpec, options: ScriptOptions): ScriptProgram {
  const { facts } = options;
  const script = new SyscallScript(options.arch);
  const sandbox = spec.security === 'sandbox';

  script.purpose('leave the namespaces of the builder');
  script.call('fcntl', [REPORT_FD, F_SETFD, FD_CLOEXEC]);
  script.closeFrom(REPORT_FD + 1);
  // First of all: the new cgroup namespace then begins there.
  joinCgroups(script, options.cgroups ?? []);
  const userNamespace =
    spec.userNamespace === undefined
      ? undefined
      : script.open('openat', [AT_FDCWD, script.string(spec.userNamespace), O_CLOEXEC]);
  script.call('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  script.call('setsid', []);
  script.call('umask', [0]);
  const network = spec.network === 'none' ? CLONE_NEWNET : 0;
  script.call('unshare', [CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | network]);
  script.call('mount', [0, script.string('/'), 0, MS_REC | MS_PRIVATE, 0]);

  script.purpose('open the root file system');
  const root = script.open('open_tree', [
    AT_FDCWD,
    script.string(spec.rootfs),
    OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC,
  ]);
  const mounts = new ContainerMounts(script, root);
  if (sandbox) mounts.setAttributes(root, MOUNT_ATTR_NODEV, true);
  const toPath = [AT_FDCWD, script.string(spec.rootfs), /* MOVE_MOUNT_F_EMPTY_PATH */ 4];
  script.call('move_mount', [root, script.string(''), ...toPath]);

  script.purpose('mount /proc');
  if (facts.outerProc) mounts.mountBind('/proc', { source: '/proc', attributes: quiet, recursive: true });
  else mounts.mountNew('/proc', { type: 'proc', attributes: quiet }, true);
  mountDevices(mounts, {
    userNamespace: facts.userNamespace,
    allowDevices: !sandbox,
    shmSize: spec.shmSize,
    console: options.console,
  });
  mountSys(mounts, spec, facts);
  for (const mount of spec.mounts) mountExtra(mounts, mount, spec);
  if (sandbox) {
    for (const path of maskedPaths) {
      script.purpose(`mask ${path}`);
      mounts.mask(path);
    }
    for (const path of readonlyPaths) {
      script.purpose(`make ${path} read-only`);
      mounts.makeReadonly(path);
    }
  }
  script.purpose('change the root directory');
  if (spec.readonlyRoot) mounts.setAttributes(root, MOUNT_ATTR_RDONLY);
  script.call('fchdir', [root]);
  script.call('pivot_root', [script.string('.'), script.string('.')]);
  script.call('umount2', [script.string('.'), MNT_DETACH]);
  script.call('chdir', [script.string('/')]);

  script.purpose('set the host name');
  script.call('sethostname', [script.string(spec.hostname), Buffer.byteLength(spec.hostname)]);
  if (spec.network === 'none') bringLoopbackUp(script);
  if (options.console !== undefined) joinConsole(script);
  script.purpose('join a new session keyring');
  script.call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, 0], 'any');
  if (userNamespace !== undefined) {
    // Not before: what was made so far belongs to the outer one.
    script.purpose('enter the user namespace');
    script.call('setns', [userNamespace, CLONE_NEWUSER]);
  }
  script.closeFrom(REPORT_FD + 1);
  startProcess(script, spec, options);
  return script.build();
}

/**
 * /sys, read-only in a sandbox. A user namespace may make one only for a network namespace of its own and where
 * nothing of the outer one is hidden; then the outer one is bound, and where that fails an empty one stands in.
 */
function mountSys(mounts: ContainerMounts, spec: ContainerSpec, facts: HostFacts): void {
  const { script } = mounts;
  const attributes = quiet | (spec.security === 'sandbox' ? MOUNT_ATTR_RDONLY : 0);
  const bindOuter = () => mounts.mountBind('/sys', { source: '/sys', attributes, recursive: true });
  const empty = () => mounts.mountNew('/sys', { type: 'tmpfs', attributes: quiet | MOUNT_ATTR_RDONLY }, true);
  script.purpose('mount /sys');
  const { EPERM, EINVAL, EACCES } = errnos;
  const fallBack = () => script.attempt([EPERM, EINVAL, EACCES], bindOuter, empty);
  script.attempt(
    [EPERM, EINVAL, EACCES],
    () => mounts.mountNew('/sys', { type: 'sysfs', attributes }, true),
    fallBack,
  );
  if (!facts.unifiedCgroups) return;
  script.purpose('mount /sys/fs/cgroup');
  script.attempt('any', () => mounts.mountNew('/sys/fs/cgroup', { type: 'cgroup2', attributes }));
}

/** One mount of the specification. Without the word `dev` no device works on it. */
function mountExtra(mounts: ContainerMounts, mount: Mount, spec: ContainerSpec): void {
  const { script } = mounts;
  const sandbox = spec.security === 'sandbox';
  const target = posix.normalize(mount.target);
  if (!target.startsWith('/') || target === '/') {
    throw new SlipwayError('invalid', `invalid mount target ${JSON.stringify(mount.target)}`, {
      code: 'MOUNT_TARGET',
      hint: 'A mount target is an absolute path other than /.',
    });
  }
  const { attributes, recursive, devices, data } = parseMountOptions(mount.options);
  const all = attributes | (devices || !sandbox ? 0 : MOUNT_ATTR_NODEV);
  script.purpose(`mount ${target}`);
  // A link of the image may lead into an earlier mount, which hides what was prepared at its end.
  const end = resolveInside(spec.rootfs, target) ?? target;
  if (mount.type === 'bind') {
    if (mount.source === undefined) {
      throw new SlipwayError('invalid', `the bind mount at ${target} has no source`, {
        code: 'MOUNT_SOURCE',
      });
    }
    const { source, sourceRoot } = mount;
    mounts.makeTarget(end, needsDirectory(mount) ? 'directory' : 'file');
    mounts.mountBind(target, { source, root: sourceRoot, attributes: all, recursive });
  } else {
    const type = mount.type === 'cgroup' ? 'cgroup2' : mount.type;
    mounts.makeTarget(end, 'directory');
    mounts.mountNew(target, { type, data, attributes: all });
  }
}
