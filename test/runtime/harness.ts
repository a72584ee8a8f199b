import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerExit, ContainerRuntime, ContainerSpec } from '../../src/runtime/types.ts';

/** What a worker of the tests is started with. */
export interface WorkerOptions {
  runtime: Exclude<ContainerRuntime['name'], 'chroot'>;
  /** A directory for everything that the runs write. */
  directory: string;
  /** The root file system that is the lower layer of every run. */
  image: string;
  userNamespace?: boolean;
}

/** One container to run. */
export interface RunRequest {
  /** Replaces what the worker would take: /bin/true as root. */
  spec?: Partial<ContainerSpec>;
  /** Another root file system. */
  lower?: string;
  stdin?: string;
  terminal?: { rows: number; columns: number };
  /** In order, each as soon as standard output holds `when`. */
  actions?: {
    when: string;
    write?: string;
    resize?: [number, number];
    kill?: NodeJS.Signals;
    abort?: boolean;
  }[];
  abortAtOnce?: boolean;
}

/** How it went. */
export interface RunAnswer {
  /** The first MiB, latin1. */
  stdout: string;
  stderr: string;
  /** Bytes of standard output. */
  length: number;
  exit?: ContainerExit;
  error?: { kind: string; code: string; message: string };
  pid?: number;
  /** The first process was still there after `exited`. */
  alive?: boolean;
  /** What the overlay's upper directory held at the end. */
  upper: string[];
  /** The worker's own mount table differs from before. */
  mountsChanged: boolean;
  /** Descriptors of the worker that are open now and were not before. */
  leaked: string[];
  /** Processes in the worker's pid namespace beside itself: `pid (name) state`. */
  left: string[];
}

/** A worker of one runtime. */
export interface TestWorker extends AsyncDisposable {
  run(request: RunRequest): Promise<RunAnswer>;
  /** Runs a shell command line as root and gives what it printed; throws when it fails. */
  shell(text: string, spec?: Partial<ContainerSpec>): Promise<string>;
  measure(times: number): Promise<number>;
}

/** Why containers cannot be tested here, or undefined. */
export function testObstacle({
  runtime,
  userNamespace,
}: Pick<WorkerOptions, 'runtime' | 'userNamespace'>): string | undefined {
  if (process.platform !== 'linux') return 'not Linux';
  if (process.getuid?.() !== 0) return 'not root';
  if (!existsSync(busybox)) return `${busybox} (Debian: busybox-static) is missing`;
  if (runtime !== 'embedded') {
    try {
      execFileSync(runtime, ['--version'], { stdio: 'ignore' });
    } catch {
      return `${runtime} is not installed`;
    }
  }
  if (userNamespace) {
    try {
      execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], { stdio: 'ignore' });
    } catch {
      return 'this kernel gives no user namespaces';
    }
  }
  return undefined;
}

const busybox = '/usr/bin/busybox';

/** A temporary directory for mounts: on memory where the machine has it. */
export function scratchDirectory(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'slipway-runtime-'));
}

/** A root file system with nothing but busybox in `directory`. */
export function makeImage(directory: string): string {
  for (const name of ['bin', 'etc', 'root', 'tmp', 'home/ann', 'var']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  chmodSync(join(directory, 'tmp'), 0o1777);
  chmodSync(join(directory, 'root'), 0o700);
  copyFileSync(busybox, join(directory, 'bin/busybox'));
  chmodSync(join(directory, 'bin/busybox'), 0o755);
  execFileSync('chroot', [directory, '/bin/busybox', '--install', '-s', '/bin']);
  writeFileSync(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n',
  );
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nann:x:1000:\n');
  return directory;
}

/** Starts a worker in mount and pid namespaces of its own, as the engine does. */
export async function startWorker(options: WorkerOptions): Promise<TestWorker> {
  const user = options.userNamespace ? ['--user', '--map-root-user'] : [];
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', 'unshare', ...user, '--mount', '--pid', '--fork', '--kill-child'],
      ...['--propagation', 'private', '--mount-proc'],
      ...[process.execPath, join(import.meta.dirname, 'worker.ts'), JSON.stringify(options)],
    ],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  const ready = new Promise<unknown>((resolve, reject) => waiting.set(0, { resolve, reject }));
  child.on('message', ({ id, answer, failure }: { id: number; answer?: unknown; failure?: string }) => {
    if (failure === undefined) waiting.get(id)?.resolve(answer);
    else waiting.get(id)?.reject(new Error(failure));
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error('the worker of the tests ended'));
      resolve();
    });
  });
  await ready;
  let count = 0;
  const ask = <T>(request: object): Promise<T> => {
    const id = ++count;
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: (answer) => resolve(answer as T), reject });
      child.send({ id, ...request });
    });
  };
  const run = (request: RunRequest) => ask<RunAnswer>(request);
  return {
    run,
    async shell(text, spec) {
      const { stdout, stderr, exit, error } = await run({ spec: { args: ['/bin/sh', '-c', text], ...spec } });
      if (error) throw new Error(`${error.code}: ${error.message}`);
      if (exit?.exitCode !== 0) throw new Error(`exit ${exit?.exitCode}: ${stdout}${stderr}`);
      return stdout;
    },
    measure: (times) => ask<number>({ measure: times }),
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}

/** Removes a scratch directory. */
export function removeScratch(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}
