import { SlipwayError } from '../errors/index.ts';
import type { HttpClientOptions } from '../http/http-client.ts';
import { openRegistryClient } from './registry-client.ts';
import type {
  CredentialSource,
  HostCapability,
  HostSource,
  RegistryClient,
  RegistryHost,
  RegistryPool,
} from './types.ts';

export interface RegistryPoolOptions {
  hosts: HostSource;
  credentials: CredentialSource;
  /** Proxies; `SLIPWAY_RETRY_DELAY_MS` is the first pause before something is tried again, default 250. */
  env: NodeJS.ProcessEnv;
  /** In place of the usual ones. */
  http?: Pick<HttpClientOptions, 'idleMs' | 'attempts' | 'delayMs'>;
}

/** What the environment says of trying again. */
export function retrySettings({ SLIPWAY_RETRY_DELAY_MS: delay }: NodeJS.ProcessEnv): { delayMs?: number } {
  return delay !== undefined && /^\d+$/.test(delay) ? { delayMs: Number(delay) } : {};
}

/** Opens clients as they are needed, one for each host, and keeps them. */
export function openRegistryPool(options: RegistryPoolOptions): RegistryPool {
  const { hosts, credentials, env } = options;
  const http = { env, ...retrySettings(env), ...options.http };
  const clients = new Map<string, Promise<RegistryClient>>();
  const clientOf = (host: RegistryHost, intent: 'pull' | 'push'): Promise<RegistryClient> => {
    const { repository: _, ...bare } = host;
    const key = JSON.stringify([intent, bare]);
    let client = clients.get(key);
    if (client === undefined) {
      const credential = () => credentials.credentialFor(host.name);
      client = openRegistryClient({ host: bare, intent, credential, http });
      clients.set(key, client);
    }
    return client;
  };
  return {
    async endpointsFor(registry, repository, need) {
      const found = await hosts.hostsFor(registry, repository);
      const able = found.filter(({ capabilities }) => capabilities.includes(need));
      if (able.length === 0) throw noHost(registry, need);
      return Promise.all(
        able.map(async (host) => ({
          client: await clientOf(host, need === 'push' ? 'push' : 'pull'),
          repository: host.repository ?? repository,
        })),
      );
    },
    async close() {
      const opened = await Promise.allSettled(clients.values());
      await Promise.all(opened.map((one) => one.status === 'fulfilled' && one.value.close()));
    },
  };
}

function noHost(registry: string, need: HostCapability): SlipwayError {
  return new SlipwayError(
    'denied',
    `no host of the registry ${registry} is configured to be asked for this`,
    {
      code: 'REGISTRY_BLOCKED',
      hint: `The configuration of registries allows none to ${need}.`,
    },
  );
}
