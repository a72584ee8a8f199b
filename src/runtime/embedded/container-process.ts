import { SlipwayError } from '../../errors/index.ts';
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAPBSET_DROP,
  PR_SET_PDEATHSIG,
  TIOCSCTTY,
} from '../../sys/constants.ts';
import { type Capability, capabilityMask, containerCapabilities } from '../capabilities.ts';
import { executableCandidates } from '../executable-candidates.ts';
import { buildSeccompFilter } from '../seccomp/filter.ts';
import type { ContainerSpec } from '../types.ts';
import { errnos } from './container-mounts.ts';
import type { ScriptOptions } from './container-script.ts';
import type { ScriptArch } from './machine-code.ts';
import type { SyscallScript } from './syscall-script.ts';

/** Purposes by which a report is told apart. */
export const purposes = {
  user: 'become the user of the container',
  directory: 'enter the working directory',
  execute: 'execute the program',
} as const;

const SIGKILL = 9;
const SIG_SETMASK = 2;
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
const CAPABILITY_VERSION_3 = 0x20080522;
const [AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP] = [2, 2, 0x8914, 1];
const O_WRONLY = 1;
const O_RDWR = 2;
const [ELOOP, ENAMETOOLONG] = [40, 36];

/** Numbers of setrlimit(2), the same on both architectures. */
const rlimitNumbers = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NPROC',
  'NOFILE',
  'MEMLOCK',
  'AS',
  'LOCKS',
  'SIGPENDING',
  'MSGQUEUE',
  'NICE',
  'RTPRIO',
  'RTTIME',
];

/** Brings the loopback of a new network namespace up. */
export function bringLoopbackUp(script: SyscallScript): void {
  script.purpose('bring the loopback up');
  script.scope(() => {
    const socket = script.open('socket', [AF_INET, SOCK_DGRAM, 0]);
    const request = Buffer.alloc(40); // struct ifreq: name, flags
    request.write('lo');
    request.writeInt16LE(IFF_UP, 16);
    script.call('ioctl', [socket, SIOCSIFFLAGS, script.bytes(request)]);
  });
}

/** Moves the process into cgroups, by their cgroup.procs. */
export function joinCgroups(script: SyscallScript, procs: readonly string[]): void {
  if (procs.length > 0) script.purpose('join the cgroup of its limits');
  for (const path of procs) {
    script.scope(() => {
      const file = script.open('openat', [-100, script.string(path), O_WRONLY]);
      script.call('write', [file, script.string('0'), 1]);
    });
  }
}

/** Makes the terminal at /dev/console the controlling one, and standard input, output and error. */
export function joinConsole(script: SyscallScript): void {
  script.purpose('open the terminal');
  script.scope(() => {
    const console = script.open('openat', [-100, script.string('/dev/console'), O_RDWR]);
    script.call('ioctl', [console, TIOCSCTTY, 0]);
    for (const fd of [0, 1, 2]) script.call('dup3', [console, fd, 0]);
  });
}

/** The end of the script: limits, capabilities, filter, user, working directory, and the program. */
export function startProcess(script: SyscallScript, spec: ContainerSpec, options: ScriptOptions): void {
  setLimits(script, spec.rlimits ?? []);
  script.purpose('reset the signal mask');
  script.call('rt_sigprocmask', [SIG_SETMASK, script.words([0]), 0, 8]);
  script.call('umask', [0o022]);
  if (spec.user.uid !== 0) {
    // Who may not open root's pipe could not open /dev/stdout. Not every file system lets it be given.
    for (const fd of options.pipes) script.call('fchown', [fd, spec.user.uid, -1], 'any');
  }
  if (spec.security === 'sandbox') restrict(script, spec, options);

  const cwd = script.string(spec.cwd);
  // As root first: /root is of use as a working directory to other users too, as in Docker. Where root may not
  // enter (a file system of another machine), the user may.
  script.purpose(purposes.directory);
  script.attempt(
    [errnos.EACCES, errnos.EPERM],
    () => {
      script.call('chdir', [cwd]);
    },
    () => {
      becomeUser(script, spec, options);
      script.purpose(purposes.directory);
      script.call('chdir', [cwd]);
      execute(script, spec);
    },
  );
  becomeUser(script, spec, options);
  execute(script, spec);
}

function setLimits(script: SyscallScript, rlimits: NonNullable<ContainerSpec['rlimits']>): void {
  script.purpose('set the resource limits');
  for (const { type, soft, hard } of rlimits) {
    const resource = rlimitNumbers.indexOf(type.toUpperCase().replace('RLIMIT_', ''));
    if (resource < 0) {
      throw new SlipwayError('invalid', `unknown resource limit ${JSON.stringify(type)}`, { code: 'RLIMIT' });
    }
    script.call('prlimit64', [0, resource, script.words([soft, hard]), 0], [errnos.EPERM]);
  }
}

/** The filter must come before the user changes: it needs CAP_SYS_ADMIN, or no_new_privs, which breaks setuid. */
function restrict(
  script: SyscallScript,
  spec: ContainerSpec,
  { arch, confined = true }: ScriptOptions,
): void {
  const refused = confined ? [] : [errnos.EPERM];
  const capabilities = heldCapabilities(spec, { confined });
  const mask = capabilityMask(capabilities);
  script.purpose('drop capabilities');
  for (let bit = 0; bit < 64; bit++) {
    if (mask & (1n << BigInt(bit))) continue;
    script.call('prctl', [PR_CAPBSET_DROP, bit, 0, 0, 0], bit < 32 ? refused : [...refused, errnos.EINVAL]);
  }
  script.call('prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
  if (!confined) return;
  script.purpose('install the seccomp filter');
  const filter = seccompFilter(arch, spec.network, () => buildSeccompFilter(arch, capabilities));
  const program = script.words([filter.length / 8, script.bytes(filter)]); // struct sock_fprog
  script.call('seccomp', [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, program]);
}

/** Behind nothing but chroot(2), who could do it again would be out. */
function heldCapabilities(
  spec: ContainerSpec,
  { confined = true }: Pick<ScriptOptions, 'confined'>,
): Set<Capability> {
  const capabilities = containerCapabilities(spec);
  if (!confined) capabilities.delete('SYS_CHROOT');
  return capabilities;
}

const filters = new Map<string, Buffer>();

/** A sandbox's filter depends on nothing but these. */
function seccompFilter(arch: ScriptArch, network: string, build: () => Buffer): Buffer {
  const key = `${arch} ${network}`;
  let filter = filters.get(key);
  if (!filter) {
    filter = build();
    filters.set(key, filter);
  }
  return filter;
}

function becomeUser(script: SyscallScript, spec: ContainerSpec, options: ScriptOptions): void {
  const { facts } = options;
  const { uid, gid, additionalGids } = spec.user;
  script.purpose(purposes.user);
  if (!facts.setgroupsDenied) {
    const list = Buffer.alloc(Math.max(4, additionalGids.length * 4));
    additionalGids.forEach((id, i) => {
      list.writeUInt32LE(id, i * 4);
    });
    script.call('setgroups', [additionalGids.length, script.bytes(list)]);
  }
  script.call('setresgid', [gid, gid, gid]);
  script.call('setresuid', [uid, uid, uid]);
  if (spec.security === 'sandbox') {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(CAPABILITY_VERSION_3);
    const mask = uid === 0 ? capabilityMask(heldCapabilities(spec, options)) & facts.capabilities : 0n;
    const sets = Buffer.alloc(24); // effective, permitted, inheritable: low halves, then high halves
    for (const [at, half] of [[0, mask & 0xffffffffn] as const, [12, mask >> 32n] as const]) {
      sets.writeUInt32LE(Number(half), at);
      sets.writeUInt32LE(Number(half), at + 4);
    }
    script.call('capset', [script.bytes(header), script.bytes(sets)]);
  }
  // A change of user clears it.
  script.call('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}

/**
 * Tries each candidate of the search path. One that is there and may not be executed does not end the search, but
 * is what the failure is about: a second round, which ends at it, follows the first.
 */
function execute(script: SyscallScript, spec: ContainerSpec): void {
  script.purpose(purposes.execute);
  const argv = script.words([...spec.args.map((arg) => script.string(arg)), 0]);
  const envp = script.words([...spec.env.map((entry) => script.string(entry)), 0]);
  const { ENOENT, ENOTDIR, EACCES } = errnos;
  const notFound = [ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG];
  const candidates = executableCandidates(spec);
  const run = (path: string, tolerated: readonly number[]) =>
    script.call('execve', [script.string(path), argv, envp], tolerated);
  if (candidates.length > 1) for (const path of candidates) run(path, [...notFound, EACCES]);
  candidates.forEach((path, i) => {
    run(path, i === candidates.length - 1 ? [] : notFound);
  });
}
