import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { KeptSources } from '../../src/context/kept/kept-sources.ts';
import type { RemoteAccess } from '../../src/context/remote-access.ts';

/** What a test gives to whatever fetches: an empty place to keep things, no secrets, this process's environment. */
export function testAccess(folder: string, more: Partial<RemoteAccess> = {}): RemoteAccess {
  const root = mkdtempSync(join(folder, 'kept-'));
  const temporaryDirectory = join(root, 'tmp');
  mkdirSync(temporaryDirectory);
  return {
    kept: new KeptSources({ root: join(root, 'sources') }),
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' },
    temporaryDirectory,
    secret: async () => undefined,
    sshAgent: async () => undefined,
    ...more,
  };
}

/** Secrets by id, as a build has them. */
export function secretsOf(values: Readonly<Record<string, string>>): RemoteAccess['secret'] {
  return async (id) => (values[id] === undefined ? undefined : Buffer.from(values[id]));
}
