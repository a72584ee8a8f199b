import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { detectIsolation, type Isolation } from '../execute/isolation.ts';
import type { HostDescription } from '../execute/worker/describe-host.ts';
import { withSession } from './with-session.ts';

/** How builds run here, and why so. */
export interface MachineDescription {
  isolation: Isolation;
  /** What the worker found out, or why there can be none. */
  worker: HostDescription | SlipwayError;
}

/**
 * Finds out how builds would run: starts a worker on the store `root`, or, where there is none, on an empty one beside
 * the place where it would be. Throws `denied` (`ISOLATION_NONE`).
 */
export async function describeMachine(root: string, env: NodeJS.ProcessEnv): Promise<MachineDescription> {
  const isolation = detectIsolation(env);
  const temporary = existsSync(join(root, 'format')) ? undefined : temporaryRoot(root);
  try {
    const worker = await withSession({ root: temporary ?? root, env }, async (_, session) => {
      const { client } = await session.worker();
      return client.call<HostDescription>('describe', {});
    });
    return { isolation, worker };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { isolation, worker: error };
  } finally {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
  }
}

/** On the file system that the store would be on, if anything can be written there. */
function temporaryRoot(root: string): string {
  let near = dirname(root);
  while (!existsSync(near)) near = dirname(near);
  for (const directory of [near, tmpdir()]) {
    try {
      return mkdtempSync(join(directory, '.slipway-info-'));
    } catch {}
  }
  throw new SlipwayError('denied', `nothing can be written to ${near} and ${tmpdir()}`, {
    code: 'STORE_CANNOT_CREATE',
    hint: 'Name another place with --root or SLIPWAY_ROOT.',
  });
}
