import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { SlipwayError } from '../../errors/index.ts';
import { CLONE_NEWPID, MFD_ALLOW_SEALING, MFD_CLOEXEC, O_CLOEXEC } from '../../sys/constants.ts';
import { loadSys } from '../../sys/linux.ts';
import type { Sys } from '../../sys/sys.ts';
import { childExit } from '../child-exit.ts';
import { type HostFacts, readHostFacts } from '../host-facts.ts';
import { makeLimitedCgroup } from '../limited-cgroup.ts';
import { runningChild } from '../running-child.ts';
import type { ContainerIo, ContainerRuntime, ContainerSpec, RunningContainer } from '../types.ts';
import { containerScript } from './container-script.ts';
import { REPORT_FD, type ScriptArch } from './machine-code.ts';
import { setupError } from './report.ts';
import type { ScriptProgram } from './syscall-script.ts';

const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf; // seal, shrink, grow, write
const REPORT_SIZE = 16;

/** mount_setattr(2) and close_range(2) are needed. */
const oldestKernel: [number, number] = [5, 12];

/** What stands against the embedded runtime on this machine, or undefined. Starts nothing. */
export function embeddedObstacle(facts: HostFacts = readHostFacts()): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (scriptArch() === undefined) return `it is not written for ${process.arch}`;
  const [major, minor] = facts.kernel;
  if (major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1])) {
    return `it needs Linux ${oldestKernel.join('.')}, this is ${major}.${minor}`;
  }
  return undefined;
}

/**
 * The runtime that needs no program of the host: it writes a tiny static program per container (containerScript)
 * and starts it as process 1 of a new pid namespace. The caller is root in its user namespace, has a mount
 * namespace of its own, and calls from its main thread.
 */
export class EmbeddedRuntime implements ContainerRuntime {
  readonly name = 'embedded';
  #facts: HostFacts | undefined;

  /** See `ContainerRuntime`. */
  async start(spec: ContainerSpec, io: ContainerIo, signal: AbortSignal): Promise<RunningContainer> {
    if (signal.aborted) throw canceled();
    this.#facts ??= readHostFacts();
    const arch = scriptArch();
    const obstacle = embeddedObstacle(this.#facts);
    if (obstacle !== undefined || arch === undefined || !isMainThread) {
      const why = obstacle ?? 'it starts containers from the main thread only';
      throw new SlipwayError('unsupported', `the embedded runtime cannot be used: ${why}`, {
        code: 'RUNTIME_UNSUPPORTED',
      });
    }
    const sys = loadSys();
    const pty = io.kind === 'terminal' ? io.pty : undefined;
    const cgroup = spec.cgroup && makeLimitedCgroup(spec.cgroup);
    const program = containerScript(spec, {
      arch,
      facts: this.#facts,
      cgroups: cgroup?.procs ?? [],
      pipes: io.kind === 'files' ? [io.stdin, io.stdout, io.stderr].flatMap(pipeAt) : [],
      ...(pty && { console: pty.name }),
    });
    if (pty && io.kind === 'terminal') sys.setWindowSize(pty.master, io.rows, io.columns);
    const child = launch(sys, program, io);
    const kill = () => child.kill('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    const exited = childExit(child, async () => {
      signal.removeEventListener('abort', kill);
      await cgroup?.remove();
    });
    await started(child, exited, { program, spec, signal });
    return runningChild(child, { sys, io, cgroup, exited });
  }
}

/** The processor that programs are written for, or undefined. */
export function scriptArch(): ScriptArch | undefined {
  if (process.arch === 'x64') return 'x86_64';
  return process.arch === 'arm64' ? 'arm64' : undefined;
}

/** Position of a descriptor that is a pipe, 0 to 2. */
function pipeAt(fd: number, position: number): number[] {
  return fstatSync(fd).isFIFO() ? [position] : [];
}

/** Starts the program. Nothing in here may yield or start a thread: the new pid namespace is for one child. */
function launch(sys: Sys, program: ScriptProgram, io: ContainerIo): ChildProcess {
  const stdio =
    io.kind === 'files'
      ? [io.stdin, io.stdout, io.stderr]
      : ['ignore' as const, 'ignore' as const, 'ignore' as const];
  const ownNamespace = openSync('/proc/self/ns/pid', constants.O_RDONLY);
  try {
    const file = sealedProgram(sys, program.elf);
    try {
      sys.unshare(CLONE_NEWPID);
      try {
        return spawn(`/proc/self/fd/${file}`, [], {
          stdio: [...stdio, 'pipe'],
          env: {},
          argv0: 'slipway-container',
        });
      } finally {
        sys.setns(ownNamespace, CLONE_NEWPID);
      }
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(ownNamespace);
  }
}

/** A program in memory that nobody can change any more: /proc/PID/exe leads to no file of the host. */
export function sealedProgram(sys: Sys, elf: Buffer): number {
  let file: number;
  try {
    file = sys.memfdCreate('slipway-container', MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  } catch {
    // Kernels before 6.3 have no MFD_EXEC; theirs are always executable.
    file = sys.memfdCreate('slipway-container', MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }
  try {
    writeSync(file, elf);
    sys.syscall(process.arch === 'arm64' ? 25 : 72, file, F_ADD_SEALS, ALL_SEALS);
    // Linux refuses to execute what is open for writing.
    return openSync(`/proc/self/fd/${file}`, constants.O_RDONLY | O_CLOEXEC);
  } finally {
    closeSync(file);
  }
}

/** Waits until the program of the image runs: the report's end is closed by its execution. */
export async function started(
  child: ChildProcess,
  exited: Promise<unknown>,
  context: { program: ScriptProgram; spec: ContainerSpec; signal: AbortSignal },
): Promise<void> {
  const stream = child.stdio[REPORT_FD] as NodeJS.ReadableStream | undefined;
  const spawnError = new Promise<never>((_, reject) => child.once('error', reject));
  const chunks: Buffer[] = [];
  const read = async () => {
    for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  };
  try {
    await Promise.race([read(), spawnError]);
  } catch (cause) {
    throw new SlipwayError('unsupported', 'the embedded runtime cannot start a process', {
      code: 'CONTAINER_SETUP',
      cause,
    });
  }
  const report = Buffer.concat(chunks);
  if (report.length < REPORT_SIZE && !context.signal.aborted) return;
  await exited;
  if (context.signal.aborted) throw canceled();
  throw setupError(report, context.program, context.spec);
}

function canceled(): SlipwayError {
  return new SlipwayError('canceled', 'the container was canceled', { code: 'CANCELED' });
}
