import { BlockList, isIP } from 'node:net';
import { badConfig, readOptional } from './read-optional.ts';

/** What Docker's daemon.json says about registries. */
export interface DaemonConfig {
  /** Mirrors of Docker Hub, in the order in which they are asked. */
  mirrors: readonly URL[];
  /** True when a registry (`host[:port]`) is listed as insecure, by name or by the network of its address. */
  isInsecure(registry: string): boolean;
}

const NOTHING: DaemonConfig = { mirrors: [], isInsecure: () => false };

/**
 * Reads `registry-mirrors` and `insecure-registries` of the first file that exists.
 *
 * @throws SlipwayError `REGISTRY_CONFIG`
 */
export function readDaemonConfig(paths: readonly string[]): DaemonConfig {
  for (const path of paths) {
    const text = readOptional(path);
    if (text !== undefined && text.trim() !== '') return parse(path, text);
  }
  return NOTHING;
}

function parse(path: string, text: string): DaemonConfig {
  let root: Record<string, unknown>;
  try {
    root = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw badConfig(path, 'it is not JSON', cause);
  }
  const names = new Set<string>();
  const networks = new BlockList();
  for (const entry of texts(root, 'insecure-registries', path)) {
    const [address = '', bits] = entry.split('/');
    if (bits !== undefined && isIP(address) !== 0 && /^\d{1,3}$/.test(bits))
      networks.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    else names.add(entry.replace(/^https?:\/\//, '').replace(/\/$/, ''));
  }
  const mirrors = texts(root, 'registry-mirrors', path).map((entry) => {
    const url = URL.parse(entry);
    if (url !== null && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
    throw badConfig(path, `invalid mirror: ${JSON.stringify(entry)} is no address of the web`);
  });
  return {
    mirrors,
    isInsecure(registry) {
      const host = registry.replace(/:\d+$/, '');
      const address = host.replace(/^\[|\]$/g, '');
      const family = isIP(address);
      return (
        names.has(registry) ||
        names.has(host) ||
        (family !== 0 && networks.check(address, family === 6 ? 'ipv6' : 'ipv4'))
      );
    },
  };
}

function texts(root: Record<string, unknown>, key: string, path: string): string[] {
  const value = root[key] ?? [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value as string[];
  throw badConfig(path, `${key} is not a list of texts`);
}
