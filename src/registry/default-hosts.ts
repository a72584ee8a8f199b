import type { HostSource, RegistryHost } from './types.ts';

/** Docker Hub's names: what references say, and which host has its registry. */
const HUB = { domain: 'docker.io', host: 'registry-1.docker.io' };

/**
 * The host of a registry that nothing is configured for. As with Docker, addresses of this machine need no
 * certificate.
 */
export function defaultHost(registry: string): RegistryHost {
  const { host, port } = splitPort(registry === HUB.domain ? HUB.host : registry);
  return {
    name: registry,
    scheme: 'https',
    host,
    ...(port === undefined ? {} : { port }),
    pathPrefix: '',
    capabilities: ['resolve', 'pull', 'push'],
    isMirror: false,
    insecure: isLoopback(host),
  };
}

/** The hosts of registries where nothing is configured. */
export const defaultHosts: HostSource = { hostsFor: async (registry) => [defaultHost(registry)] };

/** `localhost:5000` in its parts; of an address of IPv6 the brackets stay. */
function splitPort(text: string): { host: string; port?: number } {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text);
  const [, host = text, port] = match ?? [];
  return port === undefined ? { host } : { host, port: Number(port) };
}

/** `localhost`, 127.0.0.0/8 and ::1: what moby counts as insecure registries by itself. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[(?:0*:)+0*1\])$/i.test(host);
}
