import { parentPort } from 'node:worker_threads';
import { leaveDirectory, ownDirectory } from '../../sys/own-directory.ts';
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
  try {
    const aborted = (): boolean => Atomics.load(flag, 0) === 1;
    const result = await heavyTasks[task](params, aborted, (told) => parentPort!.postMessage({ told }));
    leaveDirectory();
    parentPort!.postMessage({ result });
  } catch (error) {
    leaveDirectory();
    parentPort!.postMessage({ error: toWireError(error) });
  }
});
