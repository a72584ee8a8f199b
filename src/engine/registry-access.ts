import { openCredentialStore } from '../registry/credentials/credential-store.ts';
import { configuredHosts } from '../registry/hosts/configured-hosts.ts';
import { openRegistryPool } from '../registry/open-pool.ts';
import type { CredentialSource, HostSource, RegistryPool } from '../registry/types.ts';

/** Who reaches registries, and what is said differently from this user's configuration. */
export interface RegistryAccess {
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  credentials?: CredentialSource;
  /** Names of registries of which any certificate is taken, and http where they speak nothing else. */
  insecure?: (registry: string) => boolean;
}

/** Clients with the credentials, certificates and mirrors that this user has configured. Whoever opens closes it. */
export function openRegistries({ env, signal, credentials, insecure }: RegistryAccess): RegistryPool {
  const hosts = configuredHosts(env);
  return openRegistryPool({
    env,
    credentials: credentials ?? openCredentialStore({ env, signal }),
    hosts: insecure === undefined ? hosts : loosened(hosts, insecure),
  });
}

function loosened(hosts: HostSource, insecure: (registry: string) => boolean): HostSource {
  return {
    async hostsFor(registry, repository) {
      const found = await hosts.hostsFor(registry, repository);
      return insecure(registry) ? found.map((host) => ({ ...host, insecure: true })) : found;
    },
  };
}
