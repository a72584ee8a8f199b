import { closeSync, mkdirSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';
import { SlipwayError } from '../errors/index.ts';
import { type Emulation, emulationFor } from '../execute/run/emulation.ts';
import { networkFiles } from '../execute/run/network-files.ts';
import { outputPipe } from '../execute/run/output.ts';
import { placeMounts } from '../execute/run/placed-mounts.ts';
import { resolveMappedUser } from '../execute/step/mapped-account.ts';
import { ensureDirectory } from '../execute/step/root-path.ts';
import type { WorkerHost } from '../execute/worker/host.ts';
import { EmbeddedRuntime } from '../runtime/embedded/embedded-runtime.ts';
import { isForeignProgram } from '../runtime/exec-hint.ts';
import { prepareMountPoints, removeMountPoints } from '../runtime/mount-points.ts';
import type { ContainerExit, ContainerSpec, Mount, RunningContainer } from '../runtime/types.ts';
import { bytesOf } from '../sys/bytes.ts';
import { openPipe } from '../sys/pipe.ts';
import type { ContainerRequest } from './container-request.ts';

let running: RunningContainer | undefined;
/** Signals that came while the container was being started: its output may be seen before the start is over. */
const early: NodeJS.Signals[] = [];

/** Sends a signal to the container that runs in this worker, or that is about to. */
export function signalContainer(signal: NodeJS.Signals): void {
  if (running) running.kill(signal);
  else early.push(signal);
}

function started(container: RunningContainer): RunningContainer {
  running = container;
  for (const signal of early.splice(0)) container.kill(signal);
  return container;
}

/** Tells the container's terminal its new size. */
export function resizeContainer(rows: number, columns: number): void {
  running?.resize?.(rows, columns);
}

/**
 * Runs a container of an image in the worker, its streams connected to the worker's own (which are the caller's),
 * and drops its changes. The streams are relayed: the container never holds a descriptor of the caller's files or
 * terminal.
 */
export async function runContainer(
  host: WorkerHost,
  request: ContainerRequest,
  signal: AbortSignal,
): Promise<ContainerExit> {
  const { emulation, missing } = await emulationOf(host, request);
  const { userNamespace } = emulation ?? {};
  // No OCI runtime takes a namespace for the program alone.
  const runtime = userNamespace === undefined ? await host.runtime() : new EmbeddedRuntime();
  const snapshot = host.snapshotter.prepare(request.layers);
  try {
    const root = bytesOf(snapshot.root);
    const account = resolveMappedUser(host, root, request.user);
    ensureDirectory(root, bytesOf(request.cwd));
    const mounts = [
      ...networkFiles({ scratch: snapshot.scratch, hostname: request.hostname, extraHosts: [] }),
      ...request.volumes.map(volumeMount),
    ];
    const spec: ContainerSpec = {
      id: `slipway-${request.id}`,
      rootfs: snapshot.root,
      args: request.args,
      env: request.env.some((entry) => entry.startsWith('HOME='))
        ? request.env
        : [...request.env, `HOME=${account.home}`],
      cwd: request.cwd,
      user: account,
      hostname: request.hostname,
      mounts,
      network: request.network,
      security: 'sandbox',
      ...(userNamespace === undefined ? {} : { userNamespace }),
    };
    if (missing !== undefined && isForeignProgram(spec)) throw missing;
    const points = prepareMountPoints(snapshot.root, mounts);
    let takeOut = (): void => {};
    try {
      if (host.tier === 'none') {
        refuseWritableVolumes(request);
        takeOut = placeMounts(host, snapshot, mounts);
        spec.mounts = [];
      }
      return request.terminal
        ? await withTerminal({ host, request, spec, signal, runtime })
        : await withPipes({ host, request, spec, signal, runtime });
    } finally {
      running = undefined;
      early.length = 0;
      takeOut();
      removeMountPoints(points);
    }
  } finally {
    snapshot.discard();
  }
}

/**
 * What an image says of its platform may be wrong, and its programs run here all the same: that there is no emulator
 * counts where the program is for another processor indeed.
 */
async function emulationOf(
  host: WorkerHost,
  { platform }: ContainerRequest,
): Promise<{ emulation?: Emulation | undefined; missing?: unknown }> {
  try {
    return { emulation: await emulationFor(host, platform) };
  } catch (missing) {
    return { missing };
  }
}

/** Where nothing can be mounted a container gets a copy, and what it wrote there would be lost. */
function refuseWritableVolumes({ volumes }: ContainerRequest): void {
  const writable = volumes.find(({ readOnly }) => !readOnly);
  if (!writable) return;
  throw new SlipwayError(
    'unsupported',
    `the volume ${writable.target} cannot be mounted with --isolation=none`,
    {
      code: 'MOUNT_UNSUPPORTED',
      hint: 'Add :ro for a copy that the container may read.',
    },
  );
}

interface Start {
  host: WorkerHost;
  request: ContainerRequest;
  spec: ContainerSpec;
  signal: AbortSignal;
  runtime: Awaited<ReturnType<WorkerHost['runtime']>>;
}

async function withPipes({ host, request, spec, signal, runtime }: Start): Promise<ContainerExit> {
  const input = openPipe(host.sys);
  const stdout = outputPipe(host.sys, (data) => relay(1, data));
  const stderr = outputPipe(host.sys, (data) => relay(2, data));
  let container: RunningContainer;
  try {
    const io = { kind: 'files', stdin: input.read, stdout: stdout.write, stderr: stderr.write } as const;
    container = started(await runtime.start(spec, io, signal));
  } finally {
    for (const fd of [input.read, stdout.write, stderr.write]) closeSync(fd);
  }
  const sink = new Socket({ fd: input.write, readable: false, writable: true });
  // The container may end or close its input while there is still some.
  sink.on('error', () => {});
  if (request.interactive) process.stdin.on('error', () => {}).pipe(sink);
  else sink.end();
  const exit = await container.exited;
  await Promise.all([stdout.drained, stderr.drained]);
  return exit;
}

async function withTerminal({ host, request, spec, signal, runtime }: Start): Promise<ContainerExit> {
  const pty = host.sys.openPty();
  const output = new ReadStream(pty.master);
  const drained = new Promise<void>((resolve) => {
    // Reading a master whose last slave is closed fails with EIO: that is its end.
    output.once('error', () => resolve());
    output.once('close', () => resolve());
  });
  /** Where no program begins it is the runtime's, which says in its error what matters. */
  const early: Buffer[] = [];
  const keep = (data: Buffer): void => void early.push(data);
  output.on('data', keep);
  let container: RunningContainer;
  try {
    container = started(await runtime.start(spec, { kind: 'terminal', pty, ...request.terminal! }, signal));
  } catch (error) {
    output.destroy();
    throw error;
  } finally {
    closeSync(pty.slave);
  }
  const show = (data: Buffer): void => {
    output.pause();
    const next = (): unknown => output.resume();
    // The program goes on without a reader, as on a terminal whose window is closed.
    relay(1, data).then(next, next);
  };
  output.off('data', keep).on('data', show);
  const shown = early.length === 0 ? undefined : relay(1, Buffer.concat(early)).catch(() => {});
  if (shown !== undefined) {
    output.pause();
    void shown.then(() => output.resume());
  }
  if (request.interactive)
    process.stdin
      .on('error', () => {})
      .on('data', (data: Buffer) => void relay(pty.master, data).catch(() => {}));
  const exit = await container.exited;
  await Promise.all([drained, shown]);
  return exit;
}

/** Writes all of `data`. Rejects when the other end is gone. */
function relay(fd: number, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (offset: number): void => {
      write(fd, data, offset, data.length - offset, null, (error, written) => {
        if (error?.code === 'EAGAIN') setTimeout(next, 5, offset);
        else if (error) reject(error);
        else if (offset + written >= data.length) resolve();
        else next(offset + written);
      });
    };
    next(0);
  });
}

function volumeMount({ source, target, readOnly }: ContainerRequest['volumes'][number]): Mount {
  mkdirSource(source);
  return { type: 'bind', source, target, options: ['rbind', 'nosuid', 'nodev', ...(readOnly ? ['ro'] : [])] };
}

function mkdirSource(source: string): void {
  try {
    mkdirSync(source, { recursive: true });
  } catch (error) {
    // A file or socket is mounted as it is.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
