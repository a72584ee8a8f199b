/**
 * A process in namespaces of its own, as the real worker is, that runs containers for the tests: one request by
 * the process channel, one answer. Started by harness.ts.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { ReadStream } from 'node:tty';
import { SlipwayError } from '../../src/errors/index.ts';
import { EmbeddedRuntime } from '../../src/runtime/embedded/embedded-runtime.ts';
import { prepareMountPoints, removeMountPoints } from '../../src/runtime/mount-points.ts';
import { OciRuntime } from '../../src/runtime/oci-runtime.ts';
import type {
  ContainerIo,
  ContainerRuntime,
  ContainerSpec,
  RunningContainer,
} from '../../src/runtime/types.ts';
import { MNT_DETACH } from '../../src/sys/constants.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { openPipe } from '../../src/sys/pipe.ts';
import type { Pty } from '../../src/sys/sys.ts';
import type { RunAnswer, RunRequest, WorkerOptions } from './harness.ts';

const options = JSON.parse(process.argv[2]!) as WorkerOptions;
const sys = loadSys();
const runtime: ContainerRuntime =
  options.runtime === 'embedded'
    ? new EmbeddedRuntime()
    : new OciRuntime({
        name: options.runtime,
        program: options.runtime,
        stateDirectory: `${options.directory}/state`,
        bundleDirectory: `${options.directory}/bundles`,
      });
if (options.runtime === 'crun' && existsSync('/sys/fs/cgroup/unified')) {
  // crun refuses to see both versions of cgroups; the older ones are enough for it.
  sys.umount('/sys/fs/cgroup/unified', MNT_DETACH);
}
let count = 0;

async function run(request: RunRequest): Promise<RunAnswer> {
  const directory = `${options.directory}/run-${process.pid}-${count++}`;
  for (const name of ['upper', 'work', 'root']) mkdirSync(`${directory}/${name}`, { recursive: true });
  const rootfs = `${directory}/root`;
  const lower = request.lower ?? options.image;
  const data = `lowerdir=${lower},upperdir=${directory}/upper,workdir=${directory}/work`;
  sys.mount('overlay', rootfs, 'overlay', 0, options.userNamespace ? `${data},userxattr` : data);
  const answer: RunAnswer = {
    stdout: '',
    stderr: '',
    length: 0,
    upper: [],
    mountsChanged: false,
    left: [],
    leaked: [],
  };
  const spec: ContainerSpec = {
    // Every worker is the first process of its namespace, and cgroups are named by the id.
    id: `${basename(options.directory)}-${count}`,
    rootfs,
    args: ['/bin/true'],
    env: ['PATH=/bin:/sbin'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [] },
    hostname: 'boat',
    mounts: [],
    network: 'host',
    security: 'sandbox',
    ...request.spec,
  };
  const mountsBefore = mountTable(rootfs);
  const filesBefore = openFiles();
  try {
    const points = prepareMountPoints(rootfs, spec.mounts);
    try {
      await runPrepared(spec, request, answer);
    } finally {
      removeMountPoints(points);
    }
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const { kind, code, message } = error;
    answer.error = { kind, code, message };
  }
  answer.mountsChanged = mountTable(rootfs) !== mountsBefore;
  answer.left = otherProcesses();
  answer.leaked = openFiles().filter((file) => !filesBefore.includes(file));
  sys.umount(rootfs, MNT_DETACH);
  answer.upper = (readdirSync(`${directory}/upper`, { recursive: true }) as string[]).sort();
  rmSync(directory, { recursive: true, force: true });
  return answer;
}

/**
 * The mount table; a runtime may make the root file system nodev. Without what others mount for a while on temporary
 * folders: this namespace has a copy of it, which the kernel takes away when they remove the folder.
 */
function mountTable(rootfs: string): string {
  const ofOthers = (point: string) =>
    ['/dev/shm/', `${tmpdir()}/`].some((folder) => point.startsWith(folder)) &&
    !point.startsWith(`${options.directory}/`);
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => !ofOthers(line.split(' ')[4] ?? ''))
    .join('\n')
    .replace(`${rootfs} rw,nodev,`, `${rootfs} rw,`);
}

async function runPrepared(spec: ContainerSpec, request: RunRequest, answer: RunAnswer): Promise<void> {
  const abort = new AbortController();
  const toClose: number[] = [];
  const outputs: Promise<void>[] = [];
  let io: ContainerIo;
  let pty: Pty | undefined;
  let container: RunningContainer | undefined;
  const actions = [...(request.actions ?? [])];
  const act = () => {
    while (actions[0] && answer.stdout.includes(actions[0].when) && container) {
      const { write, resize, kill, abort: stop } = actions.shift()!;
      if (write !== undefined) writeSync(pty!.master, write);
      if (resize) container.resize!(...resize);
      if (kill) container.kill(kill);
      if (stop) abort.abort();
    }
  };
  const collect = (fd: number, stream: 'stdout' | 'stderr') =>
    new Promise<void>((resolve) => {
      const socket = new Socket({ fd, readable: true, writable: false });
      socket.on('data', (chunk: Buffer) => {
        if (stream === 'stdout') answer.length += chunk.length;
        if (answer[stream].length < 1 << 20) answer[stream] += chunk.toString('latin1');
        act();
      });
      // The outer end of a terminal ends with EIO.
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });

  if (request.terminal) {
    pty = sys.openPty();
    toClose.push(pty.slave);
    outputs.push(collectTerminal(pty.master, answer, act));
    io = { kind: 'terminal', pty, ...request.terminal };
  } else {
    const [input, output, errors] = [openPipe(sys), openPipe(sys), openPipe(sys)];
    toClose.push(input.read, output.write, errors.write);
    // As the engine's caller would: while the container runs, since a pipe holds only so much.
    const writing = new Socket({ fd: input.write, readable: false, writable: true });
    writing.on('error', () => {});
    writing.end(request.stdin ?? '');
    outputs.push(collect(output.read, 'stdout'), collect(errors.read, 'stderr'));
    io = { kind: 'files', stdin: input.read, stdout: output.write, stderr: errors.write };
  }
  try {
    const pending = runtime.start(spec, io, abort.signal);
    if (request.abortAtOnce) abort.abort();
    container = await pending;
  } finally {
    for (const fd of toClose) closeSync(fd);
    if (!container) await Promise.all(outputs);
  }
  if (!container) return;
  answer.pid = container.pid;
  act();
  answer.exit = await container.exited;
  answer.alive = aliveInNamespace(answer.pid);
  await Promise.all(outputs);
}

/** Reads a terminal's outer end without blocking: a pool thread that waits in read(2) would outlive the test. */
async function collectTerminal(fd: number, answer: RunAnswer, act: () => void): Promise<void> {
  const stream = new ReadStream(fd);
  stream.on('data', (chunk: Buffer) => {
    answer.stdout += chunk.toString('latin1');
    act();
  });
  stream.on('error', () => {});
  await new Promise<void>((resolve) => stream.on('close', () => resolve()));
}

/** Open descriptors of this process, as `number target`. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return []; // the directory's own
    }
  });
}

/** Processes of this pid namespace beside this one. */
function otherProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ').slice(0, 3).join(' ');
      } catch {
        return '';
      }
    })
    .filter(Boolean);
}

function aliveInNamespace(pid: number): boolean {
  return readdirSync('/proc').includes(String(pid));
}

/** Median milliseconds of `count` runs of /bin/true, from start to exit. */
async function measure(times: number): Promise<number> {
  const samples: number[] = [];
  prepareMountPoints(options.image, []);
  for (let i = 0; i < times; i++) {
    const before = process.hrtime.bigint();
    const answer: RunAnswer = {
      stdout: '',
      stderr: '',
      length: 0,
      upper: [],
      mountsChanged: false,
      left: [],
      leaked: [],
    };
    const spec: ContainerSpec = {
      id: `slipway-measure-${process.pid}-${i}`,
      rootfs: options.image,
      args: ['/bin/true'],
      env: ['PATH=/bin'],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      hostname: 'boat',
      mounts: [],
      network: 'host',
      security: 'sandbox',
    };
    await runPrepared(spec, {}, answer);
    samples.push(Number(process.hrtime.bigint() - before) / 1e6);
  }
  samples.sort((a, b) => a - b);
  return samples[times >> 1]!;
}

process.on('message', ({ id, ...request }: { id: number } & (RunRequest | { measure: number })) => {
  const work = 'measure' in request ? measure(request.measure) : run(request);
  work.then(
    (answer) => process.send!({ id, answer }),
    (error: Error) => process.send!({ id, failure: error.stack }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send!({ id: 0, answer: 'ready' });
