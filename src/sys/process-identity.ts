import { readFileSync, readlinkSync } from 'node:fs';
import { isErrno } from '../errors/index.ts';

/** Names one process of one boot: a process id alone is used again, and a boot starts the numbers anew. */
export interface ProcessIdentity {
  /** /proc/sys/kernel/random/boot_id. */
  bootId: string;
  /** `pid:[4026531836]`: process ids mean something only inside their namespace. */
  pidNamespace: string;
  pid: number;
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  startTime: number;
}

/** The id of this boot of the kernel. Throws Node's error where /proc does not have it (other systems). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** Identity of a process of this pid namespace (default: this one), or undefined if there is no such process. */
export function processIdentity(pid: number = process.pid): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  return { bootId: bootId(), pidNamespace: readlinkSync('/proc/self/ns/pid'), pid, startTime };
}

/**
 * Whether the process that `identity` names still runs: `unknown` when it belongs to another pid namespace of
 * this boot, where its number cannot be looked up.
 */
export function processState(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.bootId !== bootId()) return 'dead';
  if (identity.pidNamespace !== readlinkSync('/proc/self/ns/pid')) return 'unknown';
  return startTimeOf(identity.pid) === identity.startTime ? 'alive' : 'dead';
}

function startTimeOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
    throw error;
  }
  // The program's name, field 2, may hold spaces and brackets: count from its last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  if (state === 'Z' || state === 'X') return undefined;
  return Number(fields[19]);
}
