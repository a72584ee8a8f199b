import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { ContainerExit } from './types.ts';

/**
 * How a child process ends, as a shell would say it, once `after` is done. Never rejects: a child that could not start
 * has code 127.
 */
export async function childExit(
  child: ChildProcess,
  after: () => Promise<void> | void = () => {},
): Promise<ContainerExit> {
  const exit = await ended(child);
  await after();
  return exit;
}

function ended(child: ChildProcess): Promise<ContainerExit> {
  return new Promise((resolve) => {
    child.once('error', () => {
      if (child.pid === undefined) resolve({ exitCode: 127 });
    });
    child.once('exit', (code, signal) => {
      if (signal) resolve({ exitCode: 128 + constants.signals[signal], signal });
      else resolve({ exitCode: code ?? 0 });
    });
  });
}
