/** Docker Hub's key, which no other registry's looks like: the address of the index that it once had. */
export const HUB_KEY = 'https://index.docker.io/v1/';

/** Names under which people and references know Docker Hub. */
const HUB_NAMES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The key under which credentials of a registry are kept: its host with port, or Docker Hub's odd one. */
export function serverKey(server: string): string {
  const host = hostOfKey(server);
  return HUB_NAMES.has(host) ? HUB_KEY : host;
}

/** The host that a key of `auths` is about: scheme and path go, as older versions of Docker wrote them. */
export function hostOfKey(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/', 1)[0]!;
}
