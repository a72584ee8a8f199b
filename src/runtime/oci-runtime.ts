import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { MOUNT_ATTR_NODEV, O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import type { Sys } from '../sys/sys.ts';
import { childExit } from './child-exit.ts';
import { executionFailure } from './exec-check.ts';
import { executeError } from './exec-error.ts';
import { type HostFacts, readHostFacts } from './host-facts.ts';
import {
  type LimitedCgroup,
  makeLimitedCgroup,
  possibleLimits,
  removeCgroupParent,
} from './limited-cgroup.ts';
import { refuseLinkedTargets } from './linked-targets.ts';
import { ociConfig } from './oci-spec.ts';
import type { ResourceLimits } from './resources.ts';
import type { ContainerIo, ContainerRuntime, ContainerSpec, RunningContainer } from './types.ts';

/** Where an OCI runtime is and where it may write. */
export interface OciRuntimeOptions {
  name: 'crun' | 'runc';
  /** Path of the program, or a name to be found through PATH. */
  program: string;
  /** The runtime's records of running containers. */
  stateDirectory: string;
  /** Holds one bundle (config.json) per container while it runs. */
  bundleDirectory: string;
  /** The cgroup, relative to each hierarchy, for those of its containers; default: the hierarchy's root. */
  cgroupParent?: string;
}

interface StartFiles {
  bundle: string;
  files: { pid: string; log: string };
  stdio: number[];
  /** Files of cgroup.procs of the cgroups in which the runtime starts. */
  join: readonly string[];
}

interface AppliedLimits {
  /** What the runtime sets. */
  configured?: ResourceLimits;
  cgroup?: LimitedCgroup;
  warnings: readonly string[];
}

/** Joins the cgroups named before `--` and becomes the command after it. */
const JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 1; shift; done; shift; exec "$@"';

/** How often a starting container is looked at, in milliseconds. */
const POLL = 2;

/** crun or runc in the foreground, one process per container. */
export class OciRuntime implements ContainerRuntime {
  readonly name: 'crun' | 'runc';
  readonly #options: OciRuntimeOptions;
  #facts: HostFacts | undefined;

  constructor(options: OciRuntimeOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** See `ContainerRuntime`. Errors of the program that is to run are also printed to its standard error. */
  async start(spec: ContainerSpec, io: ContainerIo, signal: AbortSignal): Promise<RunningContainer> {
    if (signal.aborted) throw canceled();
    this.#facts ??= readHostFacts();
    const bundle = join(this.#options.bundleDirectory, spec.id);
    const files = { pid: join(bundle, 'pid'), log: join(bundle, 'log') };
    mkdirSync(bundle, { recursive: true });
    mkdirSync(this.#options.stateDirectory, { recursive: true });
    const sys = loadSys();
    refuseLinkedTargets(spec.rootfs);
    if (spec.security === 'sandbox') forbidDevices(sys, spec.rootfs);
    const pty = io.kind === 'terminal' ? io.pty : undefined;
    const limits = this.#limits(spec);
    let pid: number | undefined;
    let ended = false;
    let failure: string | undefined;
    try {
      const size = io.kind === 'terminal' ? io : undefined;
      writeFileSync(
        join(bundle, 'config.json'),
        JSON.stringify(
          ociConfig(spec, this.#facts, {
            size,
            cgroupParent: this.#options.cgroupParent,
            limits: limits.configured,
          }),
        ),
      );
      if (pty && size) sys.setWindowSize(pty.master, size.rows, size.columns);
      const stdio =
        io.kind === 'files' ? [io.stdin, io.stdout, io.stderr] : [pty!.slave, pty!.slave, pty!.slave];
      const child = this.#run(spec.id, { bundle, files, stdio, join: limits.cgroup?.procs ?? [] });
      const kill = () => {
        if (pid !== undefined) killProcess(pid, 'SIGKILL');
      };
      signal.addEventListener('abort', kill, { once: true });
      const exited = childExit(child).then(async (exit) => {
        ended = true;
        signal.removeEventListener('abort', kill);
        if (exit.exitCode !== 0) failure = lastError(files.log);
        if (signal.aborted) await this.#delete(spec.id);
        rmSync(bundle, { recursive: true, force: true });
        await limits.cgroup?.remove();
        if (spec.cgroup) removeCgroupParent(spec.cgroup);
        return exit;
      });

      // Until its pid is known it cannot be killed with all that belongs to it: an abort waits for that.
      while (!ended && (pid === undefined || !isRunning(pid, this.name))) {
        pid ??= readPid(files.pid);
        if (pid !== undefined && signal.aborted) kill();
        await Promise.race([exited, delay(POLL)]);
      }
      if (signal.aborted) {
        kill();
        await exited;
        throw canceled();
      }
      if (ended) {
        const { exitCode } = await exited;
        if (failure !== undefined) throw startError(this.name, failure, spec);
        // A program that could not be executed after all shows in nothing but this exit code and a line of output.
        const unexecuted = exitCode === 1 ? executionFailure(spec) : undefined;
        if (unexecuted) throw unexecuted;
      }
      return {
        pid: pid ?? child.pid!,
        ...(pty && {
          resize: (rows: number, columns: number) => {
            sys.setWindowSize(pty.master, rows, columns);
            resizeConsole(pid, rows, columns);
          },
        }),
        warnings: limits.warnings,
        kill: (name) => killProcess(pid, name),
        exited,
      };
    } catch (error) {
      rmSync(bundle, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * The runtime sets limits itself where it makes the container's cgroup. In a user namespace it makes none and stays
   * in the one that it is started in.
   */
  #limits({ cgroup: wanted }: ContainerSpec): AppliedLimits {
    if (wanted === undefined) return { warnings: [] };
    if (this.#facts?.userNamespace) {
      const cgroup = makeLimitedCgroup(wanted);
      return { cgroup, warnings: cgroup.warnings };
    }
    const { limits, warnings } = possibleLimits(wanted.limits);
    return { configured: limits, warnings };
  }

  #arguments(): string[] {
    const { name, stateDirectory } = this.#options;
    // As real root the device cgroup is what keeps a node of the image shut: crun must not do without.
    const cgroups = name === 'crun' && this.#facts?.userNamespace ? ['--cgroup-manager=disabled'] : [];
    return ['--root', stateDirectory, ...cgroups];
  }

  #run(id: string, { bundle, files, stdio, join }: StartFiles): ChildProcess {
    const args = [
      ...this.#arguments(),
      ...['--log', files.log, '--log-format', 'json'],
      ...['run', '--bundle', bundle, '--pid-file', files.pid, id],
    ];
    const command = [this.#options.program, ...args];
    const [program, ...rest] =
      join.length === 0 ? command : ['/bin/sh', '-c', JOIN, 'sh', ...join, '--', ...command];
    return spawn(program!, rest, { stdio, env: { PATH: process.env.PATH } });
  }

  /** Removes what a killed container left in the state directory. */
  #delete(id: string): Promise<void> {
    return new Promise((resolve) => {
      execFile(this.#options.program, [...this.#arguments(), 'delete', '--force', id], () => resolve());
    });
  }
}

/**
 * Makes the root file system's mount nodev, so that no node of the image can be opened where the runtime keeps
 * that (runc does, crun 1.8 does not and has the device cgroup for it).
 */
function forbidDevices(sys: Sys, rootfs: string): void {
  try {
    sys.mountSetattr(rootfs, { set: MOUNT_ATTR_NODEV });
  } catch (error) {
    // EINVAL: a plain directory, not a mount of its own.
    if (!isErrno(error, 'EINVAL')) throw error;
  }
}

/** Whether the program of the image has taken the place of the runtime's own in the first process. */
function isRunning(pid: number, runtime: string): boolean {
  try {
    return !new RegExp(`(^|[/:])(${runtime}|runc_cloned:|crun_cloned:)`).test(
      readlinkSync(`/proc/${pid}/exe`),
    );
  } catch {
    return false;
  }
}

/**
 * Sets the size of the terminal inside: the runtimes copy bytes between it and the outer one, and not all of them
 * the size. The console is opened inside the container's root, whatever its programs made of it.
 */
function resizeConsole(pid: number | undefined, rows: number, columns: number): void {
  if (pid === undefined) return;
  const sys = loadSys();
  const open: number[] = [];
  try {
    open.push(openSync(`/proc/${pid}/root`, O_PATH));
    const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
    open.push(
      sys.openat2(open[0]!, 'dev/console', { flags, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }),
    );
    sys.setWindowSize(open[1]!, rows, columns);
  } catch {
    // It has ended, or has no console any more: there is nobody to tell.
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

function readPid(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'latin1')) || undefined;
  } catch {
    return undefined;
  }
}

function killProcess(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** The last error in a log of JSON lines, if any. */
function lastError(path: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const errors = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { level?: string; msg?: string })
    .filter(({ level }) => level === 'error' || level === 'fatal');
  return errors.at(-1)?.msg;
}

const [ENOENT, EACCES, ENOEXEC] = [2, 13, 8];

function startError(name: string, message: string, spec: ContainerSpec): SlipwayError {
  if (/exec format error/i.test(message)) return executeError(ENOEXEC, message, spec);
  const program = /exec(utable)?\b/.test(message) && !/mount/.test(message);
  if (program && /permission denied|operation not permitted/i.test(message))
    return executeError(EACCES, message, spec);
  if (program && /not found|no such file/i.test(message)) return executeError(ENOENT, message, spec);
  return new SlipwayError('unsupported', `${name} cannot set up the container: ${message}`, {
    code: /cwd|chdir/.test(message) ? 'CONTAINER_CWD' : 'CONTAINER_SETUP',
  });
}

function canceled(): SlipwayError {
  return new SlipwayError('canceled', 'the container was canceled', { code: 'CANCELED' });
}
