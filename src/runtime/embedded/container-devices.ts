import {
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  makeDev,
  O_CLOEXEC,
  S_IFCHR,
  S_IFREG,
} from '../../sys/constants.ts';
import { defaultShmSize, deviceLinks, deviceNodes } from '../standard-files.ts';
import { type ContainerMounts, errnos } from './container-mounts.ts';

const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;

/** What a container's /dev depends on. */
export interface DeviceOptions {
  /** Nodes cannot be made: bind the host's. */
  userNamespace: boolean;
  /** Nodes on /dev itself work, for containers that may make them. */
  allowDevices: boolean;
  shmSize: number | undefined;
  /** The outer end of a terminal's slave, to be bound at /dev/console. */
  console: string | undefined;
}

/**
 * Mounts /dev: a tmpfs on which no device works, with the few nodes bound one by one, each a mount of its own.
 *
 * The nodes are not the host's: a chmod of /dev/null in a RUN would change it for the machine. They are made on a
 * tmpfs that is mounted, bound from, and unmounted again, so that nothing can be added to it. Without the right to
 * make nodes the host's are bound read-only, which forbids changing them and not writing through them.
 */
export function mountDevices(mounts: ContainerMounts, options: DeviceOptions): void {
  const { script } = mounts;
  const quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  script.purpose('mount /dev');
  script.scope(() => {
    const nodes = options.userNamespace ? hostNodes(mounts) : ownNodes(mounts);
    mounts.mountNew(
      '/dev',
      {
        type: 'tmpfs',
        data: [
          { key: 'mode', value: '755' },
          { key: 'size', value: '65536k' },
        ],
        attributes: MOUNT_ATTR_NOSUID | (options.allowDevices ? 0 : MOUNT_ATTR_NODEV),
      },
      true,
    );
    const dev = mounts.target('/dev', true);
    const attachAt = (mount: number, name: string) => {
      script.call('mknodat', [dev, script.string(name), S_IFREG | 0o644, 0], [errnos.EEXIST]);
      script.call('move_mount', [
        mount,
        script.string(''),
        dev,
        script.string(name),
        MOVE_MOUNT_F_EMPTY_PATH,
      ]);
    };
    for (const { name, mount } of nodes) attachAt(mount, name);
    for (const [name, text] of deviceLinks) {
      script.call('symlinkat', [script.string(text), dev, script.string(name)]);
    }
    for (const name of ['pts', 'shm', 'mqueue']) script.call('mkdirat', [dev, script.string(name), 0o755]);
    if (options.console !== undefined) {
      script.purpose('bind the terminal at /dev/console');
      attachAt(mounts.cloneTree({ source: options.console, attributes: quiet }), 'console');
    }
  });

  script.purpose('mount /dev/pts');
  const pts = (data: { key: string; value: string | undefined }[]) =>
    mounts.mountNew('/dev/pts', { type: 'devpts', data, attributes: quiet });
  const ptsData = [
    { key: 'newinstance', value: undefined },
    { key: 'ptmxmode', value: '0666' },
    { key: 'mode', value: '0620' },
  ];
  // Group 5 is `tty` everywhere; a user namespace may not have it.
  script.attempt(
    [errnos.EINVAL],
    () => pts([...ptsData, { key: 'gid', value: '5' }]),
    () => pts(ptsData),
  );
  script.purpose('mount /dev/shm');
  mounts.mountNew('/dev/shm', {
    type: 'tmpfs',
    data: [
      { key: 'mode', value: '1777' },
      { key: 'size', value: String(options.shmSize ?? defaultShmSize) },
    ],
    attributes: quiet | MOUNT_ATTR_NODEV,
  });
  script.purpose('mount /dev/mqueue');
  script.attempt('any', () => {
    mounts.mountNew('/dev/mqueue', { type: 'mqueue', attributes: quiet | MOUNT_ATTR_NODEV });
  });
}

interface Node {
  name: string;
  mount: number;
}

function ownNodes(mounts: ContainerMounts): Node[] {
  const { script } = mounts;
  const options = {
    data: [{ key: 'size', value: '64k' }],
    attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
  };
  mounts.mountNew('/dev', { type: 'tmpfs', ...options }, true);
  const nodes: Node[] = [];
  for (const [name, major, minor] of deviceNodes) {
    const path = script.string(name);
    const device = makeDev(major, minor);
    const dev = mounts.target('/dev', true);
    script.call('mknodat', [dev, path, S_IFCHR | 0o666, device]);
    nodes.push({ name, mount: script.open('open_tree', [dev, path, OPEN_TREE_CLONE | O_CLOEXEC]) });
  }
  const top = mounts.target('/dev', true);
  // umount2 takes a path only: the directory itself, entered.
  script.call('fchdir', [top]);
  script.call('umount2', [script.string('.'), MNT_DETACH]);
  script.call('chdir', [script.string('/')]);
  return nodes;
}

function hostNodes(mounts: ContainerMounts): Node[] {
  return deviceNodes.map(([name]) => ({
    name,
    mount: mounts.cloneTree({
      source: `/dev/${name}`,
      attributes: MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
    }),
  }));
}
