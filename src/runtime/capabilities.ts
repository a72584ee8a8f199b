import type { ContainerSpec } from './types.ts';

/** Linux's capabilities in the order of their bits (capability(7)). */
export const capabilityNames = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const;

/** A capability without its `CAP_`. */
export type Capability = (typeof capabilityNames)[number];

/** Docker's default set but for MKNOD and NET_RAW, which `containerCapabilities` decides. */
const sandboxCapabilities: readonly Capability[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'AUDIT_WRITE',
  'SETFCAP',
];

/**
 * What the first process may hold at most (its bounding set). A sandbox has Docker's default set without MKNOD
 * (there is no device cgroup, so a node made as real root would open the host's disk; without root the kernel
 * refuses nodes anyway, and a RUN sees the same set whoever builds) and without NET_RAW where the network is the
 * host's.
 */
export function containerCapabilities(spec: Pick<ContainerSpec, 'security' | 'network'>): Set<Capability> {
  if (spec.security === 'insecure') return new Set(capabilityNames);
  const set = new Set<Capability>(sandboxCapabilities);
  if (spec.network === 'none') set.add('NET_RAW');
  return set;
}

/** The set as the kernel's bit mask. */
export function capabilityMask(capabilities: Iterable<Capability>): bigint {
  let mask = 0n;
  for (const name of capabilities) mask |= 1n << BigInt(capabilityNames.indexOf(name));
  return mask;
}
