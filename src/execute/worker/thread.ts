import { parentPort } from 'node:worker_threads';
import { toWireError } from '../protocol/wire-error.ts';
import { heavyTasks } from './heavy-tasks.ts';

/** Body of a thread of the pool: one task after the other. */
parentPort!.on('message', async (message: { task: keyof typeof heavyTasks; params: never }) => {
  try {
    parentPort!.postMessage({ result: await heavyTasks[message.task](message.params) });
  } catch (error) {
    parentPort!.postMessage({ error: toWireError(error) });
  }
});
