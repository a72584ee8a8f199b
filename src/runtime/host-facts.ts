import { readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { release } from 'node:os';

/** What the process that starts containers is and may do; the kernel is asked once. */
export interface HostFacts {
  /** Its user namespace is not the first one: root here is not root of the machine. */
  userNamespace: boolean;
  /** /proc is that of an outer pid namespace: the kernel refuses a new one, which would show what is hidden of it. */
  outerProc: boolean;
  /** The kernel denies setgroups(2), as in user namespaces with a single id. */
  setgroupsDenied: boolean;
  /** /sys/fs/cgroup is cgroup v2 alone. */
  unifiedCgroups: boolean;
  /** Mask of its permitted capabilities: a container cannot have more. */
  capabilities: bigint;
  /** Major and minor number of the kernel's version. */
  kernel: [number, number];
}

const CGROUP2_MAGIC = 0x63677270;

/** Looks at /proc/self and /sys of the calling process. */
export function readHostFacts(): HostFacts {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return {
    userNamespace: !/^\s*0\s+0\s+4294967295\s*$/.test(readProc('/proc/self/uid_map', '0 0 4294967295')),
    outerProc: hasOuterProc(),
    setgroupsDenied: readProc('/proc/self/setgroups', 'allow').trim() === 'deny',
    unifiedCgroups: cgroupType() === CGROUP2_MAGIC,
    capabilities: BigInt(
      `0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(readProc('/proc/self/status', ''))?.[1] ?? '0'}`,
    ),
    kernel: [major, minor],
  };
}

function hasOuterProc(): boolean {
  try {
    return readlinkSync('/proc/self') !== String(process.pid);
  } catch {
    return false;
  }
}

function readProc(path: string, whenAbsent: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // A kernel without user namespaces has no such file.
    return whenAbsent;
  }
}

function cgroupType(): number | undefined {
  try {
    return statfsSync('/sys/fs/cgroup').type;
  } catch {
    return undefined;
  }
}
