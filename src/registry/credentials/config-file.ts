import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isErrno, SlipwayError } from '../../errors/index.ts';

/** What an `auths` entry of config.json holds (docker/cli, config/types/authconfig.go). */
export interface AuthEntry {
  /** `user:password` in base64. */
  auth?: string;
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/** The part of Docker's config.json that is about credentials. */
export interface CredentialSettings {
  auths: Readonly<Record<string, AuthEntry>>;
  /** Name of a helper program for all registries, without `docker-credential-`. */
  credsStore?: string;
  /** The same for single registries; these go first. */
  credHelpers: Readonly<Record<string, string>>;
}

/** `config.json` in DOCKER_CONFIG, else in `~/.docker`. */
export function dockerConfigPath(env: NodeJS.ProcessEnv): string {
  return join(env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker'), 'config.json');
}

/**
 * Where podman, buildah and skopeo keep credentials (containers-auth.json(5)), in their order: REGISTRY_AUTH_FILE
 * alone when it is set. They are read where config.json knows nothing.
 */
export function containersAuthPaths(env: NodeJS.ProcessEnv): string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE];
  const uid = process.getuid?.() ?? 0;
  const runtime = env.XDG_RUNTIME_DIR || `/run/user/${uid}`;
  const config = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return [
    join(runtime, 'containers/auth.json'),
    join('/run/containers', String(uid), 'auth.json'),
    join(config, 'containers/auth.json'),
  ];
}

/**
 * Reads the credentials part of a file; one that is not there has none.
 *
 * @throws SlipwayError `CREDENTIALS_INVALID`, which never shows what stands in the file.
 */
export function readCredentialSettings(path: string): CredentialSettings {
  const { auths, credsStore, credHelpers } = readConfigFile(path);
  return {
    auths: textMembers(auths ?? {}, `${path}: auths`),
    ...(typeof credsStore === 'string' && credsStore !== '' ? { credsStore } : {}),
    credHelpers: helperNames(credHelpers ?? {}, path),
  };
}

/** Writes or (with undefined) removes one entry of `auths`. All else in the file stays as it is. */
export function putAuthEntry(path: string, key: string, entry: AuthEntry | undefined): void {
  const config = readConfigFile(path);
  const before = isObject(config.auths) ? config.auths : {};
  if (entry === undefined && !Object.hasOwn(before, key)) return;
  const auths: Record<string, unknown> = { ...before };
  delete auths[key];
  if (entry !== undefined) auths[key] = entry;
  writeConfigFile(path, { ...config, auths });
}

/** A file as it is, an object; empty when there is none. */
function readConfigFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT') || isErrno(cause, 'ENOTDIR')) return {};
    throw unusable(path, `it cannot be read (${(cause as NodeJS.ErrnoException).code})`);
  }
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw unusable(path, 'it is not JSON');
  }
  if (!isObject(value)) throw unusable(path, 'it is not an object');
  return value;
}

/** Only its owner can read it, at no time anybody else; a link is written through. */
function writeConfigFile(path: string, value: unknown): void {
  let target = path;
  try {
    target = realpathSync(path);
  } catch {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  }
  const temporary = `${target}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, JSON.stringify(value, undefined, '\t'), { flag: 'wx', mode: 0o600 });
    renameSync(temporary, target);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw unusable(path, `it cannot be written (${(cause as NodeJS.ErrnoException).code})`);
  }
}

function textMembers(value: unknown, where: string): Record<string, AuthEntry> {
  if (!isObject(value)) throw unusable(where, 'it is not an object');
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      const members = isObject(entry) ? Object.entries(entry) : [];
      return [key, Object.fromEntries(members.filter(([, text]) => typeof text === 'string' && text !== ''))];
    }),
  );
}

function helperNames(value: unknown, path: string): Record<string, string> {
  if (!isObject(value)) throw unusable(`${path}: credHelpers`, 'it is not an object');
  const entries = Object.entries(value).filter((entry): entry is [string, string] => {
    return typeof entry[1] === 'string' && entry[1] !== '';
  });
  return Object.fromEntries(entries);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unusable(where: string, why: string): SlipwayError {
  return new SlipwayError('invalid', `the credentials in ${where} cannot be used: ${why}`, {
    code: 'CREDENTIALS_INVALID',
  });
}
