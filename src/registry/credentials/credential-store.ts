import { SlipwayError } from '../../errors/index.ts';
import type { Credential, CredentialSource } from '../types.ts';
import {
  type AuthEntry,
  type CredentialSettings,
  containersAuthPaths,
  dockerConfigPath,
  putAuthEntry,
  readCredentialSettings,
} from './config-file.ts';
import { helperErase, helperGet, helperStore } from './helper.ts';
import { HUB_KEY, hostOfKey, serverKey } from './server-key.ts';

export interface CredentialStoreOptions {
  /** HOME, DOCKER_CONFIG, REGISTRY_AUTH_FILE, XDG_…; and what helpers are started with. */
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/** Where credentials went. */
export interface StoredCredential {
  /** The file, when they lie there readable for whoever reads it; undefined when a helper has them. */
  plainFile?: string;
}

/**
 * The credentials of this user, as Docker keeps them: config.json, or helper programs that it names; where these have
 * nothing, what podman and skopeo keep. Files are read again at each call, so that nothing stale is used.
 */
export interface CredentialStore extends CredentialSource {
  /** @throws SlipwayError `CREDENTIALS_INVALID`, `CREDENTIAL_HELPER` */
  store(server: string, credential: Credential): Promise<StoredCredential>;
  /** True when there was something. Errors as `store`. */
  erase(server: string): Promise<boolean>;
}

/** Opens the user's credentials. Nothing is read yet. */
export function openCredentialStore(options: CredentialStoreOptions): CredentialStore {
  const path = dockerConfigPath(options.env);

  return {
    async credentialFor(name) {
      const key = serverKey(name);
      const settings = readCredentialSettings(path);
      const helper = helperFor(settings, key);
      const kept = helper === undefined ? undefined : await helperGet(helper, key, options);
      if (kept !== undefined) return kept;
      // A helper hides the file, as with Docker: only where none is named the file counts.
      const found = helper === undefined ? fromFile(settings, key) : undefined;
      return found ?? (await fromContainers(name, options));
    },

    async store(server, credential) {
      const key = serverKey(server);
      const helper = helperFor(readCredentialSettings(path), key);
      if (helper !== undefined) {
        await helperStore(helper, key, credential, options);
        putAuthEntry(path, key, {});
        return {};
      }
      putAuthEntry(path, key, entryOf(credential));
      return { plainFile: path };
    },

    async erase(server) {
      const key = serverKey(server);
      const settings = readCredentialSettings(path);
      const helper = helperFor(settings, key);
      const had = Object.keys(settings.auths).filter((one) => sameServer(one, key));
      if (helper !== undefined) await helperErase(helper, key, options);
      for (const one of had) putAuthEntry(path, one, undefined);
      return had.length > 0;
    },
  };
}

function helperFor({ credHelpers, credsStore }: CredentialSettings, key: string): string | undefined {
  // Docker looks the hub's helper up by its odd key, people write the plain one.
  const names = key === HUB_KEY ? [key, 'docker.io'] : [key];
  const own = names.find((name) => Object.hasOwn(credHelpers, name));
  return own === undefined ? credsStore : credHelpers[own];
}

/** The key itself first, then one that older versions wrote with scheme or path. Never a part of a name. */
function fromFile({ auths }: CredentialSettings, key: string): Credential | undefined {
  const exact = Object.hasOwn(auths, key) ? key : Object.keys(auths).find((one) => sameServer(one, key));
  return exact === undefined ? undefined : credentialOf(auths[exact]!, exact);
}

function sameServer(one: string, key: string): boolean {
  return one === key || hostOfKey(one) === hostOfKey(key);
}

/** containers-auth.json(5): keys may be namespaces of a registry too, which say nothing about the host as a whole. */
async function fromContainers(
  name: string,
  options: CredentialStoreOptions,
): Promise<Credential | undefined> {
  for (const path of containersAuthPaths(options.env)) {
    const settings = readCredentialSettings(path);
    const helper = Object.hasOwn(settings.credHelpers, name) ? settings.credHelpers[name] : undefined;
    const kept = helper === undefined ? undefined : await helperGet(helper, name, options);
    const entry = Object.hasOwn(settings.auths, name) ? settings.auths[name] : undefined;
    const found = kept ?? (entry && credentialOf(entry, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function credentialOf(entry: AuthEntry, key: string): Credential | undefined {
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (registrytoken !== undefined) return { kind: 'registry-token', token: registrytoken };
  if (identitytoken !== undefined) return { kind: 'identity-token', token: identitytoken };
  if (auth === undefined)
    return username === undefined ? undefined : { kind: 'password', username, password: password ?? '' };
  const text = Buffer.from(auth, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon <= 0)
    throw new SlipwayError('invalid', `invalid auth configuration file: the entry of ${key} has no user`, {
      code: 'CREDENTIALS_INVALID',
    });
  // Old entries are padded with zero bytes.
  const kept = text.slice(colon + 1).replace(/\0+$/, '');
  return { kind: 'password', username: text.slice(0, colon), password: kept };
}

function entryOf(credential: Credential): AuthEntry {
  if (credential.kind === 'identity-token') return { identitytoken: credential.token };
  if (credential.kind === 'registry-token') return { registrytoken: credential.token };
  const pair = `${credential.username}:${credential.password}`;
  return { auth: Buffer.from(pair).toString('base64') };
}
