import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** OpenSSH's agent with one key in it, while the tests of a suite run. */
export interface TestAgent {
  /** Path of its socket. */
  readonly socket: string;
  /** A private key that it holds, without a passphrase, and the same as OpenSSH names public keys. */
  readonly key: string;
  readonly fingerprint: string;
  /** Makes another key; gives its path. */
  makeKey(name: string, passphrase?: string): string;
}

/** Gives the suite in whose body it is called an agent; needs OpenSSH's client. */
export function testAgent(): TestAgent {
  let folder = '';
  let child: ChildProcess | undefined;
  const agent: TestAgent = {
    get socket() {
      return join(folder, 'agent');
    },
    get key() {
      return join(folder, 'key');
    },
    get fingerprint() {
      return fingerprintOf(agent.key);
    },
    makeKey(name, passphrase = '') {
      const path = join(folder, name);
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-C', name, '-N', passphrase, '-f', path]);
      return path;
    },
  };
  beforeAll(async () => {
    // The path of a socket may have 107 bytes.
    folder = mkdtempSync(join(tmpdir(), 'slipway-agent-'));
    agent.makeKey('key');
    child = spawn('ssh-agent', ['-D', '-a', agent.socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout!, 'data');
    execFileSync('ssh-add', ['-q', agent.key], { env: { ...process.env, SSH_AUTH_SOCK: agent.socket } });
  });
  afterAll(() => {
    child?.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return agent;
}

/** `SHA256:…` of a key's public half. */
export function fingerprintOf(key: string): string {
  return execFileSync('ssh-keygen', ['-lf', key], { encoding: 'utf8' }).split(' ')[1]!;
}

/** Programs of this machine with the libraries that they need, by path without the first slash. */
export function programFiles(names: readonly string[]): Record<string, Buffer> {
  const files: Record<string, Buffer> = {};
  for (const name of names) {
    const path = execFileSync('which', [name], { encoding: 'utf8' }).trim();
    const libraries = execFileSync('ldd', [path], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
    for (const each of [path, ...libraries]) files[each.slice(1)] = readFileSync(each);
  }
  return files;
}
