import { SlipwayError } from '../errors/index.ts';
import { openCredentialStore, type StoredCredential } from '../registry/credentials/credential-store.ts';
import { HUB_KEY, serverKey } from '../registry/credentials/server-key.ts';
import { pushEndpoint } from '../registry/push-endpoint.ts';
import type { Credential } from '../registry/types.ts';
import { openRegistries } from './registry-access.ts';

export interface LoginOptions {
  /** As people write it: `registry.example`, with or without scheme; undefined is Docker Hub. */
  server: string | undefined;
  username: string;
  password: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
}

/** Where the credentials are kept now. */
export type LoginResult = StoredCredential;

/**
 * Asks the registry whether it takes the credentials, and keeps them if so.
 *
 * @throws SlipwayError `denied` LOGIN_REFUSED; those of the credential store and of `RegistryClient.ping`
 */
export async function login(options: LoginOptions): Promise<LoginResult> {
  const { username, password } = options;
  return check({ kind: 'password', username, password }, options);
}

/** As `login`, with the credentials that are kept already; undefined when there are none. */
export async function loginAgain(
  options: Omit<LoginOptions, 'username' | 'password'>,
): Promise<LoginResult | undefined> {
  const { env = process.env, signal } = options;
  const known = await openCredentialStore({ env, signal }).credentialFor(registryOf(options.server));
  return known === undefined ? undefined : check(known, options);
}

async function check(
  credential: Credential,
  { server, env = process.env, signal }: Omit<LoginOptions, 'username' | 'password'>,
): Promise<LoginResult> {
  const registry = registryOf(server);
  const pool = openRegistries({ env, signal, credentials: { credentialFor: async () => credential } });
  try {
    const endpoint = await pushEndpoint(pool, registry, '');
    await endpoint.client.ping({ signal });
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.kind !== 'denied' || error.code === 'REGISTRY_BLOCKED')
      throw error;
    throw new SlipwayError('denied', `login attempt to ${registry} failed with status: 401 Unauthorized`, {
      code: 'LOGIN_REFUSED',
      cause: error,
    });
  } finally {
    await pool.close();
  }
  return openCredentialStore({ env, signal }).store(registry, credential);
}

function registryOf(server: string | undefined): string {
  const key = serverKey(server ?? 'docker.io');
  return key === HUB_KEY ? 'docker.io' : key;
}
