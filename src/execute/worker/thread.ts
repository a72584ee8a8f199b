import { parentPort } from 'node:worker_threads';
import { leaveDirectory, ownDirectory } from '../../sys/own-directory.ts';
import type { WireError } from '../protocol/frames.ts';
import { toWireError } from '../protocol/wire-error.ts';
import { heavyTasks } from './heavy-tasks.ts';

interface Message {
  task: keyof typeof heavyTasks;
  params: never;
  /** One number, 1 once the task is to stop. */
  flag: Int32Array;
}

// Loads the system calls, which all tasks need: a thread may be started before there is one.
ownDirectory();

/** Body of a thread of the pool: one task after the other. */
parentPort!.on('message', async ({ task, params, flag }: Message) => {
  const aborted = (): boolean => Atomics.load(flag, 0) === 1;
  const tell = (told: unknown): void => parentPort!.postMessage({ told });
  let answer: { result: unknown } | { error: WireError };
  try {
    answer = { result: await heavyTasks[task](params, aborted, tell) };
  } catch (error) {
    answer = { error: toWireError(error) };
  }
  leaveDirectory();
  parentPort!.postMessage(answer);
});
