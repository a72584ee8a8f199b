import { openCredentialStore } from '../registry/credentials/credential-store.ts';
import { serverKey } from '../registry/credentials/server-key.ts';

export interface LogoutOptions {
  /** As people write it: `registry.example`, with or without scheme; undefined is Docker Hub. */
  server: string | undefined;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
}

/** Forgets the credentials of a registry, as `docker logout`; gives the name under which they were kept. */
export async function logout({
  server = 'docker.io',
  env = process.env,
  signal,
}: LogoutOptions): Promise<string> {
  await openCredentialStore({ env, signal }).erase(server);
  return serverKey(server);
}
