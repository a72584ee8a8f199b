import type { Pty } from '../sys/sys.ts';
import type { CgroupRequest, ProcessLimit } from './resources.ts';

/** A mount as data: nothing is mounted until a runtime makes it. Paths are absolute. */
export interface Mount {
  /** File system type, or `bind`. */
  type: 'bind' | 'proc' | 'sysfs' | 'tmpfs' | 'devpts' | 'mqueue' | 'cgroup';
  /** For `bind`: a path of the worker's mount namespace. */
  source?: string;
  /**
   * For `bind`: `source` is resolved inside this directory, symlinks included, at the time of the mount. For
   * sources that a RUN may have written (a cache directory, a stage).
   */
  sourceRoot?: string;
  /** Where it goes, inside the container; resolved inside its root, symlinks included. */
  target: string;
  /** mount(8)'s words: `ro`, `nosuid`, `nodev`, `noexec`, `rbind`, `mode=1777`, `size=64m`, … */
  options: string[];
}

/** Everything a runtime must know to run one container; plain data but for the file descriptors in `ContainerIo`. */
export interface ContainerSpec {
  /** Unique on this machine while it runs: names the OCI runtime's state. */
  id: string;
  /** Directory that becomes `/`: already mounted, writable unless `readonlyRoot`. */
  rootfs: string;
  readonlyRoot?: boolean;
  args: string[];
  /** `KEY=value`; PATH is used to find `args[0]`. */
  env: string[];
  /** Absolute; must exist. */
  cwd: string;
  user: { uid: number; gid: number; additionalGids: number[] };
  hostname: string;
  /** Beyond the standard ones (/proc, /dev, /sys, /dev/shm, …), which the runtime knows; in this order. */
  mounts: Mount[];
  /** `host`: share the worker's network namespace. `none`: a new one, loopback up. */
  network: 'host' | 'none';
  /** `sandbox`: Docker's default capabilities, masked paths, seccomp. `insecure`: all capabilities, nothing masked. */
  security: 'sandbox' | 'insecure';
  /** Devices that it may open beside the usual ones; their nodes are among the mounts. */
  devices?: ContainerDevice[];
  /** Bytes of /dev/shm; 64 MiB when absent. */
  shmSize?: number;
  rlimits?: ProcessLimit[];
  /**
   * Path of a user namespace with all ids as they are, which the program is executed in. Only the embedded runtime
   * knows it.
   */
  userNamespace?: string;
  /** Limits on all of its processes together; what cannot be had is in `RunningContainer.warnings`. */
  cgroup?: CgroupRequest;
}

/** A device by its numbers. */
export interface ContainerDevice {
  type: 'b' | 'c';
  major: number;
  minor: number;
}

/**
 * Where the three standard streams go: file descriptors of the caller, who closes them, or the inner end of a terminal.
 * Somebody has to read the other ends from the start: a runtime may need that to see a program end, and with it that
 * it had begun.
 */
export type ContainerIo =
  | { kind: 'files'; stdin: number; stdout: number; stderr: number }
  | { kind: 'terminal'; pty: Pty; rows: number; columns: number };

/** How it ended. A process killed by a signal has `exitCode` 128 + number, as shells and Docker say it. */
export interface ContainerExit {
  exitCode: number;
  signal?: string;
}

/** A container that has been started. */
export interface RunningContainer {
  /** Process id of its first process, as the caller's pid namespace has it. */
  pid: number;
  /** Where it has a terminal. */
  resize?(rows: number, columns: number): void;
  /** Limits of the specification that could not be had, in Docker's words. */
  warnings?: readonly string[];
  /** Sends a signal to the first process. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the first process has ended and everything that was left of the container is gone. */
  exited: Promise<ContainerExit>;
}

/**
 * Runs one namespaced container from a specification; the seam behind which crun, runc and the embedded runtime
 * stand. One conformance suite (test/runtime) takes a factory for it.
 */
export interface ContainerRuntime {
  readonly name: 'crun' | 'runc' | 'embedded' | 'chroot';
  /**
   * Starts the container. Rejects with a `SlipwayError` when it cannot be set up (a program that is not found in
   * it has the code `EXEC_NOT_FOUND`, one that may not be executed `EXEC_DENIED`, a wrong format `EXEC_FORMAT`);
   * aborting the signal kills every process of it.
   */
  start(spec: ContainerSpec, io: ContainerIo, signal: AbortSignal): Promise<RunningContainer>;
}
