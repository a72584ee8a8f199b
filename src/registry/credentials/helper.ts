import { SlipwayError } from '../../errors/index.ts';
import type { Credential } from '../types.ts';

/** What helpers say when they have nothing (docker-credential-helpers, credentials/error.go). */
const NOTHING = 'credentials not found in native keychain';
/** A user name that stands for "what follows is an identity token". */
const TOKEN_USER = '<token>';
/** What a helper says is shown no longer than this. */
const MAX_MESSAGE = 400;

/** Where helpers are looked for, and what they are started with. */
export interface HelperOptions {
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/**
 * Asks `docker-credential-NAME` for a server's credentials.
 *
 * @throws SlipwayError `unavailable` CREDENTIAL_HELPER, when it is not there or fails for another reason than having
 *   nothing. What it wrote to standard output is never shown.
 */
export async function helperGet(
  name: string,
  key: string,
  options: HelperOptions,
): Promise<Credential | undefined> {
  const output = await run(name, 'get', key, options);
  if (output === undefined) return undefined;
  const { Username, Secret } = parsed(name, output) as { Username?: unknown; Secret?: unknown };
  if (typeof Username !== 'string' || typeof Secret !== 'string')
    throw failed(name, 'its answer has no secret');
  if (Username === TOKEN_USER) return { kind: 'identity-token', token: Secret };
  return { kind: 'password', username: Username, password: Secret };
}

/** Gives a server's credentials to the helper to keep. Errors as `helperGet`. */
export async function helperStore(
  name: string,
  key: string,
  credential: Credential,
  options: HelperOptions,
): Promise<void> {
  const [Username, Secret] =
    credential.kind === 'password'
      ? [credential.username, credential.password]
      : [TOKEN_USER, credential.token];
  await run(name, 'store', JSON.stringify({ ServerURL: key, Username, Secret }), options);
}

/** Makes the helper forget a server. Errors as `helperGet`; having nothing is none. */
export async function helperErase(name: string, key: string, options: HelperOptions): Promise<void> {
  await run(name, 'erase', key, options);
}

/** The servers that the helper has something for, with the names of users. Errors as `helperGet`. */
export async function helperList(name: string, options: HelperOptions): Promise<Record<string, string>> {
  const output = await run(name, 'list', '', options);
  const entries = Object.entries(output === undefined ? {} : parsed(name, output));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** Its standard output; undefined when it has nothing. */
async function run(
  name: string,
  verb: 'get' | 'store' | 'erase' | 'list',
  input: string,
  { env, signal }: HelperOptions,
): Promise<string | undefined> {
  // It comes from a file and becomes a program's name: a path in it would start something else.
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw failed(name, 'that is not the name of a helper');
  const { spawn } = await import('node:child_process');
  const program = `docker-credential-${name}`;
  const child = spawn(program, [verb], { env, stdio: ['pipe', 'pipe', 'pipe'], ...(signal && { signal }) });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // One that does not read its input tells by its exit code what is wrong.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      if (signal?.aborted) reject(new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause }));
      else reject(failed(name, cause.code === 'ENOENT' ? `${program} is not on PATH` : cause.message));
    });
  });
  const output = Buffer.concat(out).toString();
  if (code === 0) return output;
  const message = verb === 'store' ? Buffer.concat(err).toString() : output;
  if (`${output}${Buffer.concat(err)}`.includes(NOTHING)) return undefined;
  // Helpers write why they failed to standard output, of which only the first line is for people.
  throw failed(name, message.trim().split('\n')[0]!.slice(0, MAX_MESSAGE) || `exit code ${code}`);
}

function parsed(name: string, output: string): object {
  try {
    const value: unknown = JSON.parse(output);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The parser's message quotes the secret.
  }
  throw failed(name, 'its answer is not JSON');
}

function failed(name: string, why: string): SlipwayError {
  return new SlipwayError('unavailable', `error getting credentials - the helper ${name}: ${why}`, {
    code: 'CREDENTIAL_HELPER',
    hint: 'Install the helper, or take it out of credsStore and credHelpers in config.json.',
  });
}
