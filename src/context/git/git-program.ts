import { type ChildProcess, spawn } from 'node:child_process';
import { StringDecoder } from 'node:string_decoder';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { maskUrls } from '../../errors/redact-url.ts';
import type { BytePath } from '../../sys/bytes.ts';

export interface GitRun {
  /** After the hardening options; nothing secret, and what comes from elsewhere stands after `--`. */
  args: readonly string[];
  /** The repository; none for `ls-remote`. */
  gitDir?: string | undefined;
  workTree?: string | undefined;
  env: NodeJS.ProcessEnv;
  /** Protocols that git may use, `https:ssh`; empty for none. */
  protocols: string;
  /** Credentials to be had by environment, see `gitCredentials`. */
  credentials?: GitCredentials | undefined;
  /** Set beside the cleaned environment. */
  variables?: Readonly<Record<string, string>> | undefined;
  /**
   * The user's own configuration is read: credential helpers, proxies, ssh commands. Only where the user named the
   * repository, and never where files are written.
   */
  ownConfig: boolean;
  input?: string | Buffer | undefined;
  /** Looked at now and then; what it throws ends the program. */
  watch?: (() => void) | undefined;
  /** Takes output in pieces, bytes as latin1, instead of collecting it; what it throws ends the program. */
  onOutput?: ((bytes: BytePath) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** What git is given beside its arguments, where only it and this user can see it. */
export interface GitCredentials {
  /** Configuration, as pairs of name and value. */
  config: readonly (readonly [string, string])[];
  env: Readonly<Record<string, string>>;
  /** Words that must not stand in any message. */
  secrets: readonly string[];
}

/** Git has ended with a failure. */
export class GitFailure extends Error {
  readonly stderr: string;
  constructor(stderr: string) {
    super(reasonOf(stderr));
    this.stderr = stderr;
  }
}

/** Nothing that a repository holds, and no setting of this machine, makes git run a program (but for its own). */
const HARDENING = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.pager=cat',
  'core.symlinks=true',
  'core.protectHFS=true',
  'core.protectNTFS=true',
  'core.logAllRefUpdates=false',
  'advice.detachedHead=false',
  'init.defaultBranch=main',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'fetch.unpackLimit=1',
  'fetch.writeCommitGraph=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'pack.threads=1',
  'http.lowSpeedLimit=100',
  'http.lowSpeedTime=120',
  'uploadpack.packObjectsHook=',
].flatMap((setting) => ['-c', setting]);

/** Variables of git that users set to be let in somewhere. All others name places and files, and are not passed on. */
const OWN_VARIABLES =
  /^GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_.*|HTTP_.*|PROXY_SSL_.*|CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))$/;
/** Those that say how to trust a server; they let nobody in. */
const TRUST_VARIABLES = /^GIT_SSL_(?:CAINFO|CAPATH|NO_VERIFY|VERSION|CIPHER_LIST)$/;
/** Of the environment, what a program without any configuration needs. */
const PLAIN_VARIABLES =
  /^(?:PATH|TMPDIR|LD_LIBRARY_PATH|NIX_.*|(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR))$/i;

const MAX_OUTPUT = 64 << 20;
const MAX_ERRORS = 64 << 10;
const WATCH_MS = 200;

/**
 * Runs git and gives its standard output.
 *
 * @throws GitFailure; SlipwayError `unavailable` GIT_MISSING, `exhausted` GIT_OUTPUT_TOO_LARGE, `canceled`
 */
export async function runGit(run: GitRun): Promise<string> {
  const { signal, onOutput } = run;
  if (signal?.aborted) throw canceled(signal.reason);
  const child = start(run);
  let output = '';
  let errors = '';
  let thrown: unknown;
  // The whole group: git leaves transports and ssh to children of its own.
  const stop = (reason?: unknown): void => {
    thrown ??= reason;
    killGroup(child);
  };
  const abort = (): void => stop(canceled(signal?.reason));
  const guarded = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      stop(error);
    }
  };
  signal?.addEventListener('abort', abort, { once: true });
  const decoder = new StringDecoder('utf8');
  child.stdout!.on('data', (chunk: Buffer) =>
    guarded(() => {
      if (onOutput !== undefined) return onOutput(chunk.toString('latin1'));
      output += decoder.write(chunk);
      if (output.length > MAX_OUTPUT)
        throw new SlipwayError('exhausted', `git printed more than ${MAX_OUTPUT} bytes`, {
          code: 'GIT_OUTPUT_TOO_LARGE',
        });
    }),
  );
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-MAX_ERRORS);
  });
  child.stdin!.on('error', () => {});
  child.stdin!.end(run.input ?? '');
  const timer = run.watch && setInterval(() => guarded(run.watch!), WATCH_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (thrown !== undefined) throw thrown;
    if (run.watch) run.watch();
    if (code === 0) return output;
    throw new GitFailure(withoutSecrets(errors, run.credentials?.secrets ?? []));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    throw new SlipwayError('unavailable', 'git is needed to read a git repository, and is not on PATH', {
      code: 'GIT_MISSING',
      hint: 'Install the package git.',
      cause: error,
    });
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
    killGroup(child);
  }
}

function start(run: GitRun): ChildProcess {
  const { args, gitDir, workTree, credentials, ownConfig } = run;
  const config = credentials?.config ?? [];
  const places = [
    ...(gitDir === undefined ? [] : [`--git-dir=${gitDir}`]),
    ...(workTree === undefined ? [] : [`--work-tree=${workTree}`]),
  ];
  return spawn('git', [...HARDENING, '--literal-pathspecs', ...places, ...args], {
    cwd: workTree ?? gitDir ?? '/',
    // A session of its own: no terminal to ask for passwords on, and no Ctrl-C before this process hears of it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...environment(run.env, ownConfig),
      ...credentials?.env,
      ...run.variables,
      ...configVariables(config, ownConfig ? run.env : {}),
      GIT_ALLOW_PROTOCOL: run.protocols === '' ? 'none' : run.protocols,
      GIT_PROTOCOL_FROM_USER: '0',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_LFS_SKIP_SMUDGE: '1',
      GIT_NO_REPLACE_OBJECTS: '1',
      LC_ALL: 'C',
    },
  });
}

function environment(env: NodeJS.ProcessEnv, ownConfig: boolean): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) =>
    ownConfig
      ? !name.startsWith('GIT_') || OWN_VARIABLES.test(name)
      : PLAIN_VARIABLES.test(name) || TRUST_VARIABLES.test(name),
  );
  if (ownConfig) return Object.fromEntries(kept);
  // Older versions know no GIT_CONFIG_GLOBAL; they look below HOME.
  const nowhere = { HOME: '/nonexistent', XDG_CONFIG_HOME: '/nonexistent' };
  return {
    ...Object.fromEntries(kept),
    ...nowhere,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
  };
}

/** Settings by environment (git-config(1), GIT_CONFIG_COUNT), behind those that the user has put there. */
function configVariables(
  config: readonly (readonly [string, string])[],
  env: NodeJS.ProcessEnv,
): Record<string, string> {
  if (config.length === 0) return {};
  const first = Number.parseInt(env.GIT_CONFIG_COUNT ?? '0', 10) || 0;
  const variables: Record<string, string> = { GIT_CONFIG_COUNT: String(first + config.length) };
  for (const [index, [name, value]] of config.entries()) {
    variables[`GIT_CONFIG_KEY_${first + index}`] = name;
    variables[`GIT_CONFIG_VALUE_${first + index}`] = value;
  }
  return variables;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All of it has gone already.
  }
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = maskUrls(text);
  // Very short ones are in every text, and nobody's secret.
  for (const secret of secrets) if (secret.length > 3) clean = clean.replaceAll(secret, 'xxxxx');
  return clean;
}

/** The line that says why, without git's prefixes; a server's own words are kept apart by git with `remote:`. */
function reasonOf(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const fatal = lines.filter(
    (line) =>
      /^(?:fatal|error|ERROR):/.test(line) && !/^fatal: (?:the remote end|Could not read from)/i.test(line),
  );
  const told =
    fatal.at(-1) ??
    lines.find((line) => !/^(?:warning|hint|Please|and the repo)/i.test(line)) ??
    lines.at(-1);
  return (told ?? 'it failed without a word').replace(/^(?:fatal|error): /, '').slice(0, 500);
}

function canceled(cause: unknown): SlipwayError {
  return new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause });
}
