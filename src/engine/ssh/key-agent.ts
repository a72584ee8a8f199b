import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';

/** An agent of the build's own, with keys in it. */
export interface KeyAgent {
  socket: string;
  end(): void;
}

/** BuildKit's limit for one key. */
const MAX_KEY = 100 * 1024;

/**
 * Starts OpenSSH's agent in the foreground, which dies with this process, and gives it keys. They are read by this
 * process: the agent itself would refuse a file that others may read.
 *
 * Throws `unavailable` (`SSH_AGENT_MISSING`) without OpenSSH, `invalid` (`SSH_KEY_INVALID`) for a key that it does not
 * take.
 */
export async function startKeyAgent(keys: readonly string[], env: NodeJS.ProcessEnv): Promise<KeyAgent> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-ssh-'));
  const socket = join(directory, 'agent');
  const plain = { PATH: env.PATH, LC_ALL: 'C' };
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'ssh-agent', '-D', '-a', socket], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: plain,
    detached: true,
  });
  const end = (): void => {
    child.kill();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await started(child);
    for (const key of keys) addKey(key, { ...plain, SSH_AUTH_SOCK: socket, SSH_ASKPASS_REQUIRE: 'never' });
    return { socket, end };
  } catch (error) {
    end();
    throw error;
  }
}

/** It prints the name of its socket once that is there. */
async function started(child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const listening = once(child.stdout!, 'data').then(() => true);
  const ended = once(child, 'close').then(() => false);
  const failed = once(child, 'error').then(() => false);
  if (await Promise.race([listening, ended, failed])) {
    child.unref();
    (child.stdout as unknown as { unref?(): void }).unref?.();
    (child.stderr as unknown as { unref?(): void }).unref?.();
    return;
  }
  throw new SlipwayError(
    'unavailable',
    `no ssh agent can be started to hold keys: ${said.trim() || 'ssh-agent'}`,
    {
      code: 'SSH_AGENT_MISSING',
      hint: 'Keys given with --ssh need ssh-agent and ssh-add (package openssh-client); an agent of your own needs neither: --ssh default.',
    },
  );
}

function addKey(path: string, env: NodeJS.ProcessEnv): void {
  const { status, stderr, error } = spawnSync('ssh-add', ['-q', '-'], {
    input: readKey(path),
    env,
    // Without a terminal nobody is asked for a passphrase.
    detached: true,
    encoding: 'utf8',
  } as Parameters<typeof spawnSync>[2] & { encoding: 'utf8' });
  if (status === 0) return;
  const said = (error?.message ?? stderr).trim();
  const encrypted = /passphrase/i.test(said);
  throw new SlipwayError(
    'invalid',
    `failed to parse ${path}: ${encrypted ? 'ssh: this private key is passphrase protected' : 'ssh: no key found'}`,
    {
      code: 'SSH_KEY_INVALID',
      hint: encrypted
        ? 'Add it to your agent (ssh-add) and give that to the build: --ssh default.'
        : `ssh-add says: ${said || 'nothing'}`,
    },
  );
}

function readKey(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(MAX_KEY);
    let length = 0;
    for (let read = 1; read > 0 && length < MAX_KEY; length += read) {
      read = readSync(file, buffer, length, MAX_KEY - length, null);
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
