import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeptSources } from '../../context/kept/kept-sources.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import type { Store } from '../../store/store.ts';

/** What may be used where nobody hands out secrets or agents. The caller closes `kept`. */
export function plainAccess({
  store,
  env,
  signal,
}: {
  store: Store;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal | undefined;
}): RemoteAccess {
  return {
    kept: new KeptSources({ root: join(store.root, 'sources') }),
    env,
    temporaryDirectory: env.TMPDIR ?? tmpdir(),
    secret: async () => undefined,
    sshAgent: async () => undefined,
    signal,
  };
}
