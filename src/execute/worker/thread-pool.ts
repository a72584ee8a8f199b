import { availableParallelism } from 'node:os';
import { type MessagePort, Worker } from 'node:worker_threads';
import { SlipwayError } from '../../errors/index.ts';
import { holdOptimizer } from '../../sys/optimizer.ts';
import { ownScript } from '../../sys/own-script.ts';
import type { WireError } from '../protocol/frames.ts';
import { fromWireError } from '../protocol/wire-error.ts';
import type { HeavyTasks } from './heavy-tasks.ts';

/** A task looks at its flag every few milliseconds; one that does not is ended after this. */
const TERMINATE_AFTER_MS = 250;

/** More do not help: the tasks wait for the disk as much as for a processor. */
export const THREADS = Math.min(4, availableParallelism());

export interface HeavyOptions {
  signal?: AbortSignal;
  /** Hears what the task tells before its end. */
  onTold?: (told: never) => void;
  /** Ports among the parameters, which move to the thread. */
  transfer?: MessagePort[];
}

interface Job {
  task: string;
  params: unknown;
  options: HeavyOptions;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

const idle: Worker[] = [];
const waiting: Job[] = [];
let threads = 0;

/**
 * Runs a heavy task in a thread; threads are started when first needed (about 40 ms) and then kept. An abort reaches
 * synchronous loops through a shared flag, so that they can clean up; a thread that does not look at it is ended.
 */
export function runHeavy<T extends keyof HeavyTasks>(
  task: T,
  params: Parameters<HeavyTasks[T]>[0],
  options: HeavyOptions = {},
): Promise<Awaited<ReturnType<HeavyTasks[T]>>> {
  return new Promise((resolve, reject) => {
    const job = { task, params, options, resolve, reject };
    waiting.push(job);
    try {
      assign();
    } catch (error) {
      waiting.splice(waiting.indexOf(job), 1);
      reject(error);
    }
  });
}

/** Starts all threads that there may be, for a task that is about to be cut into parts. */
export function startThreads(): void {
  if (threads === THREADS) holdOptimizer();
  for (let worker = startThread(); worker !== undefined; worker = startThread()) idle.push(worker);
}

/** How many tasks would begin at once, in threads that are there. */
export function idleThreads(): number {
  return waiting.length > 0 ? 0 : idle.length;
}

function assign(): void {
  const worker = waiting.length > 0 ? (idle.pop() ?? startThread()) : undefined;
  if (!worker) return;
  const job = waiting.shift()!;
  const { signal, onTold, transfer = [] } = job.options;
  const flag = new Int32Array(new SharedArrayBuffer(4));
  let timer: NodeJS.Timeout | undefined;
  const release = (): void => {
    clearTimeout(timer);
    worker.off('message', onMessage);
    worker.off('error', onError);
    signal?.removeEventListener('abort', onAbort);
  };
  const onMessage = (message: { told: never } | { result: never } | { error: WireError }): void => {
    if ('told' in message) {
      onTold?.(message.told);
      return;
    }
    release();
    idle.push(worker);
    if ('error' in message) job.reject(fromWireError(message.error));
    else job.resolve(message.result);
    assign();
  };
  const onAbort = (): void => {
    Atomics.store(flag, 0, 1);
    timer = setTimeout(() => {
      void worker.terminate();
      onError(new SlipwayError('canceled', 'canceled', { code: 'CANCELED' }));
    }, TERMINATE_AFTER_MS);
  };
  const onError = (error: unknown): void => {
    release();
    threads--;
    job.reject(error);
    assign();
  };
  worker.on('message', onMessage);
  worker.once('error', onError);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  worker.postMessage({ task: job.task, params: job.params, flag }, transfer);
}

/** Undefined when there are enough, or when the system lets no more be: pods limit them. One there must be. */
function startThread(): Worker | undefined {
  if (threads >= THREADS) return undefined;
  let worker: Worker;
  try {
    worker = new Worker(threadScript());
  } catch (error) {
    if (threads > 0) return undefined;
    throw error;
  }
  threads++;
  worker.unref();
  // One that fails while it works is met by its task.
  worker.on('error', () => {
    const at = idle.indexOf(worker);
    if (at < 0) return;
    idle.splice(at, 1);
    threads--;
  });
  return worker;
}

function threadScript(): string {
  return ownScript(import.meta.url, ['./thread.js', './thread.ts'], {
    what: 'the thread script',
    code: 'THREAD_SCRIPT_MISSING',
  });
}
