import type { RemoteAccess } from '../../context/remote-access.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { Store } from '../../store/store.ts';
import type { Secrets } from '../secrets.ts';
import type { SshAgents } from '../ssh/agents.ts';
import { fetchVertices } from './fetch-vertices.ts';
import { plainAccess } from './plain-access.ts';

export interface RemoteAccessOptions {
  store: Store;
  env: NodeJS.ProcessEnv;
  secrets: Secrets;
  agents: SshAgents;
  emit: (event: BuildEvent) => void;
  signal: AbortSignal;
}

/** What a build's sources from elsewhere may use; what they leave for the next build is in the store. */
export function remoteAccess({
  store,
  env,
  secrets,
  agents,
  emit,
  signal,
}: RemoteAccessOptions): RemoteAccess {
  return {
    ...plainAccess({ store, env, signal }),
    secret: (id) => secrets.content(id),
    sshAgent: () => agents.socketOf('default'),
    progress: fetchVertices(emit),
  };
}
