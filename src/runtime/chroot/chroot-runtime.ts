import { spawn } from 'node:child_process';
import { closeSync, fstatSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { loadSys } from '../../sys/linux.ts';
import { capabilityMask } from '../capabilities.ts';
import { childExit } from '../child-exit.ts';
import { scriptArch, sealedProgram, started } from '../embedded/embedded-runtime.ts';
import { readHostFacts } from '../host-facts.ts';
import { makeLimitedCgroup } from '../limited-cgroup.ts';
import { runningChild } from '../running-child.ts';
import type { ContainerIo, ContainerRuntime, ContainerSpec, RunningContainer } from '../types.ts';
import { chrootScript } from './chroot-script.ts';
import { killMarked } from './marked-processes.ts';

/**
 * Runs a program behind nothing but chroot(2), for a container's root who may make no namespace and no mount. The
 * specification's mounts must be in place already; `network: none` and `insecure` cannot be had.
 */
export class ChrootRuntime implements ContainerRuntime {
  readonly name = 'chroot';
  /** Marks the processes of this worker's containers. */
  readonly #worker: number;
  #count = 0;

  constructor(worker: number) {
    this.#worker = worker;
  }

  /** See `ContainerRuntime`. */
  async start(spec: ContainerSpec, io: ContainerIo, signal: AbortSignal): Promise<RunningContainer> {
    if (signal.aborted)
      throw new SlipwayError('canceled', 'the container was canceled', { code: 'CANCELED' });
    if (spec.network === 'none') {
      throw new SlipwayError('unsupported', 'there is no network namespace with --isolation=none', {
        code: 'NETWORK_NONE',
        hint: 'Leave out --network=none, or build where namespaces can be had.',
      });
    }
    const arch = scriptArch();
    if (arch === undefined || spec.mounts.length > 0) {
      throw new SlipwayError('unsupported', 'the chroot runtime cannot do this', {
        code: 'RUNTIME_UNSUPPORTED',
      });
    }
    const sys = loadSys();
    const facts = readHostFacts();
    const setgroupsDenied = (facts.capabilities & capabilityMask(['SETGID'])) === 0n;
    const mark = { container: ++this.#count, worker: this.#worker };
    const pty = io.kind === 'terminal' ? io.pty : undefined;
    const cgroup = spec.cgroup && makeLimitedCgroup(spec.cgroup);
    const files =
      io.kind === 'files' ? [io.stdin, io.stdout, io.stderr] : [pty!.slave, pty!.slave, pty!.slave];
    const pipes = [0, 1, 2].filter((position) => fstatSync(files[position]!).isFIFO());
    const options = {
      arch,
      facts: { ...facts, setgroupsDenied },
      pipes,
      confined: false,
      cgroups: cgroup?.procs ?? [],
    };
    const program = chrootScript(spec, options, { mark, terminal: pty !== undefined });
    if (pty && io.kind === 'terminal') sys.setWindowSize(pty.master, io.rows, io.columns);
    const file = sealedProgram(sys, program.elf);
    const child = spawn(`/proc/self/fd/${file}`, [], {
      stdio: [...files, 'pipe'],
      env: {},
      argv0: 'slipway-container',
    });
    closeSync(file);
    const kill = () => killMarked(mark);
    signal.addEventListener('abort', kill, { once: true });
    const exited = childExit(child, async () => {
      signal.removeEventListener('abort', kill);
      kill();
      await cgroup?.remove();
    });
    await started(child, exited, { program, spec, signal });
    return runningChild(child, { sys, io, cgroup, exited });
  }
}
