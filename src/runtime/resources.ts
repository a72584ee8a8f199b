/** What the processes of a container may use of the machine together. Absent: no limit of its own. */
export interface ResourceLimits {
  /** Bytes. */
  memory?: number;
  /** Bytes of memory and swap together; -1 for as much swap as there is. Docker's default is twice the memory. */
  memorySwap?: number;
  /** Weight against other cgroups, 2 to 262144; 1024 is the usual one. */
  cpuShares?: number;
  /** Microseconds of processor time in each period, over all processors. */
  cpuQuota?: number;
  /** Length of a period in microseconds; 100 ms is the kernel's default. */
  cpuPeriod?: number;
  /** Processors and memory nodes, as the kernel writes them: `0-2,4`. */
  cpusetCpus?: string;
  cpusetMems?: string;
}

/** A limit of setrlimit(2). */
export interface ProcessLimit {
  /** Without `RLIMIT_`, any case: `nofile`. */
  type: string;
  /** -1 is no limit. */
  soft: number;
  hard: number;
}

/** A cgroup that a container is to have. */
export interface CgroupRequest {
  limits: ResourceLimits;
  /** `--cgroup-parent`, from the root of each hierarchy. */
  parent?: string | undefined;
  /** Unique, two elements: `slipway-<lease>/<container>`. */
  name: string;
}
