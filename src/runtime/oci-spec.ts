import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { capabilityMask, containerCapabilities } from './capabilities.ts';
import type { HostFacts } from './host-facts.ts';
import { resolveInside } from './path-inside.ts';
import type { ResourceLimits } from './resources.ts';
import { ociSeccomp } from './seccomp/oci-seccomp.ts';
import { defaultShmSize, maskedPaths, readonlyPaths } from './standard-files.ts';
import type { ContainerSpec, Mount } from './types.ts';

interface OciMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

/** What a configuration holds beside the container's own description. */
export interface OciConfigOptions {
  /** A terminal's; without it there is none. */
  size?: { rows: number; columns: number } | undefined;
  /** The cgroup under which the container's own is made; default: the hierarchy's root. */
  cgroupParent?: string | undefined;
  /** Those of the container's limits that this machine can set. */
  limits?: ResourceLimits | undefined;
}

/** The config.json of a container, as OCI's runtime specification 1.0.2 has it. */
export function ociConfig(
  spec: ContainerSpec,
  facts: HostFacts,
  { size, cgroupParent, limits = {} }: OciConfigOptions,
): Record<string, unknown> {
  const { parent } = spec.cgroup ?? {};
  const cgroup = spec.cgroup ? `${parent ?? ''}/${spec.cgroup.name}` : `${cgroupParent}/${spec.id}`;
  const sandbox = spec.security === 'sandbox';
  const capabilitySet = containerCapabilities(spec);
  // The runtimes fail where the caller lacks one.
  const capabilities = [...capabilitySet]
    .filter((name) => facts.capabilities & capabilityMask([name]))
    .map((name) => `CAP_${name}`);
  const namespaces = [
    'pid',
    'ipc',
    'uts',
    'mount',
    'cgroup',
    ...(spec.network === 'none' ? ['network'] : []),
  ];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: size !== undefined,
      ...(size && { consoleSize: { height: size.rows, width: size.columns } }),
      user: { ...spec.user, umask: 0o022 },
      args: spec.args,
      env: spec.env,
      cwd: spec.cwd,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: allowedLimits(spec, facts),
      noNewPrivileges: false,
    },
    root: { path: spec.rootfs, readonly: spec.readonlyRoot ?? false },
    hostname: spec.hostname,
    mounts: [...standardMounts(spec, facts), ...spec.mounts.map((mount) => ociMount(mount, sandbox))],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      // In a user namespace there are no cgroups to be had, and runc fails where one is named.
      ...(cgroupParent !== undefined &&
        !facts.userNamespace && { cgroupsPath: posix.normalize(`/${cgroup}`) }),
      ...(!facts.userNamespace && {
        resources: {
          // The runtimes add the nodes that they make themselves. Without cgroups this is of no effect.
          ...(sandbox && { devices: deviceRules(spec) }),
          ...ociResources(limits),
        },
      }),
      ...(sandbox && {
        maskedPaths,
        readonlyPaths,
        seccomp: ociSeccomp(process.arch === 'arm64' ? 'arm64' : 'x86_64', capabilitySet),
      }),
    },
  };
}

function ociResources(limits: ResourceLimits): Record<string, unknown> {
  const { memory, memorySwap, cpuShares, cpuQuota, cpuPeriod, cpusetCpus, cpusetMems } = limits;
  const cpu = { shares: cpuShares, quota: cpuQuota, period: cpuPeriod, cpus: cpusetCpus, mems: cpusetMems };
  return {
    ...(memory !== undefined && { memory: { limit: memory, swap: memorySwap ?? 2 * memory } }),
    ...(Object.values(cpu).some((value) => value !== undefined) && { cpu }),
  };
}

function standardMounts(spec: ContainerSpec, facts: HostFacts): OciMount[] {
  const access = spec.security === 'sandbox' ? ['ro'] : [];
  const quiet = ['nosuid', 'noexec', 'nodev'];
  // What is mounted below keeps its own attributes otherwise: a cgroup tree that the user may write to.
  const below = [...quiet, ...access].map((word) => `r${word}`);
  const tty = facts.userNamespace ? [] : ['gid=5'];
  // Only a network namespace of its own lets a user namespace make a sysfs.
  const sys =
    facts.userNamespace && spec.network === 'host'
      ? { type: 'bind', source: '/sys', options: ['rbind', ...quiet, ...access, ...below] }
      : { type: 'sysfs', source: 'sysfs', options: [...quiet, ...access] };
  const list: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: quiet },
    // The runtimes make the device nodes on it: it cannot be nodev. Without CAP_MKNOD nothing can be added.
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...tty],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...quiet, 'mode=1777', `size=${spec.shmSize ?? defaultShmSize}`],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: quiet },
    { destination: '/sys', ...sys },
  ];
  if (facts.unifiedCgroups) {
    const options = [...quiet, 'relatime', ...access];
    list.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options });
  }
  return list;
}

function ociMount(mount: Mount, sandbox: boolean): OciMount {
  const options = mount.options.filter((word) => word !== 'dev');
  if (sandbox && !mount.options.includes('dev')) options.push('nodev');
  if (mount.type !== 'bind')
    return { destination: mount.target, type: mount.type, source: mount.type, options };
  if (!options.includes('rbind')) options.unshift('bind');
  return { destination: mount.target, type: 'bind', source: sourcePath(mount), options };
}

/** The source of a bind mount as one path; inside `sourceRoot` its links are resolved, as far as they are now. */
function sourcePath({ source = '/', sourceRoot }: Mount): string {
  if (sourceRoot === undefined) return source;
  const inside = resolveInside(sourceRoot, source);
  if (inside === undefined) {
    throw new SlipwayError('invalid', `the source of a mount is absent: ${source}`, {
      code: 'CONTAINER_SETUP',
    });
  }
  return posix.join(sourceRoot, inside);
}

/** What the device cgroup lets through; the runtimes add the nodes that they make themselves. */
function deviceRules({ devices = [] }: ContainerSpec): Record<string, unknown>[] {
  return [
    { allow: false, access: 'rwm' },
    ...devices.map((device) => ({ allow: true, access: 'rw', ...device })),
  ];
}

/** The runtimes fail where a limit may not be raised: in a user namespace each stays below the caller's own. */
function allowedLimits(
  spec: ContainerSpec,
  facts: HostFacts,
): { type: string; soft: unknown; hard: unknown }[] {
  const own = facts.userNamespace
    ? readFileSync('/proc/self/limits', 'latin1').split('\n').slice(1)
    : undefined;
  return (spec.rlimits ?? []).map((limit) => {
    const type = `RLIMIT_${limit.type.toUpperCase().replace('RLIMIT_', '')}`;
    const words = own?.[limitLines.indexOf(type)]?.slice(26).trim().split(/\s+/);
    const most = own === undefined || words?.[1] === 'unlimited' ? Infinity : Number(words?.[1] ?? 0);
    const [soft, hard] = [limit.soft, limit.hard].map((value) =>
      Math.min(value < 0 ? Infinity : value, most),
    );
    return { type, soft: limitNumber(soft!), hard: limitNumber(hard!) };
  });
}

/** RLIM_INFINITY is 2^64 - 1, which no number of JavaScript is. */
function limitNumber(value: number): unknown {
  if (value !== Infinity) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON('18446744073709551615');
}

/** Lines of /proc/PID/limits, in their order. */
const limitLines = (
  'RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC RLIMIT_NOFILE ' +
  'RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME'
).split(' ');
