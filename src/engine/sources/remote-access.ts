import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeptSources } from '../../context/kept/kept-sources.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import type { Store } from '../../store/store.ts';
import type { Secrets } from '../secrets.ts';
import type { SshAgents } from '../ssh/agents.ts';

export interface RemoteAccessOptions {
  store: Store;
  env: NodeJS.ProcessEnv;
  secrets: Secrets;
  agents: SshAgents;
  signal: AbortSignal;
}

/** What a build's sources from elsewhere may use; what they leave for the next build is in the store. */
export function remoteAccess({ store, env, secrets, agents, signal }: RemoteAccessOptions): RemoteAccess {
  return {
    kept: new KeptSources({ root: join(store.root, 'sources') }),
    env,
    temporaryDirectory: env.TMPDIR ?? tmpdir(),
    secret: (id) => secrets.content(id),
    sshAgent: () => agents.socketOf('default'),
    signal,
  };
}
