import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { openStore, type Store } from '../../src/store/store.ts';

const base = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const made: string[] = [];
const stores: Store[] = [];

/** A new empty directory, removed after the tests of the file. `shared`: where peers can see it. */
export function tempDir(options: { shared?: boolean } = {}): string {
  const dir = fs.mkdtempSync(join(options.shared === true ? tmpdir() : base, 'slipway-store-'));
  made.push(dir);
  return dir;
}

afterAll(() => {
  for (const store of stores.splice(0)) store.close();
  for (const dir of made.splice(0)) execFileSync('rm', ['-rf', dir]);
});

export function newStore(root = join(tempDir(), 'store')): Store {
  const store = openStore(root, { idMap: 'host' });
  stores.push(store);
  return store;
}

/** `kind code: message` of what `body` throws, or its result. */
export function outcome(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    const { kind, code, message } = error as { kind: string; code: string; message: string };
    return `${kind} ${code}: ${message}`;
  }
}

/** As `outcome`, for promises. */
export async function outcomeOf(body: Promise<unknown>): Promise<unknown> {
  return body.then(
    (value) => value,
    (error: unknown) =>
      outcome(() => {
        throw error;
      }),
  );
}

/** Runs a module in a process of its own; its standard output is given to `onLine`. */
export function startScript(
  script: URL,
  args: string[],
  onLine: (line: string) => void = () => {},
): ChildProcess {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    lines.forEach(onLine);
  });
  return child;
}

export * from './make.ts';
