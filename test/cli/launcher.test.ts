import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const BIN = join(import.meta.dirname, '../../bin');
let folder: string;
let launcher: string;
let old: string;

// A package of its own, with an entry that says how it was started.
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-launcher-'));
  const root = join(folder, 'above/node_modules/slipway');
  launcher = join(root, 'bin/slipway.js');
  cpSync(BIN, dirname(launcher), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  // What an old Node says of itself; a process started anew does not inherit it.
  old = join(folder, 'old.cjs');
  writeFileSync(
    old,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });",
  );
  writeEntry(
    'console.log(process.versions.node.split(".")[0] >= 24, ...process.argv.slice(2)); process.exitCode = 7;',
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

function writeEntry(text: string): void {
  mkdirSync(join(dirname(launcher), '../dist/cli'), { recursive: true });
  writeFileSync(join(dirname(launcher), '../dist/cli/main.js'), text);
}

function bringNode(): void {
  const bin = join(folder, `above/node_modules/node-${process.platform}-${process.arch}/bin`);
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, join(bin, 'node'));
}

function run(...args: string[]) {
  const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  return { stdout, stderr, status };
}

it('starts the bundle', () => {
  expect(run(launcher, 'a', '--b')).toEqual({ stdout: 'true a --b\n', stderr: '', status: 7 });
});

it('says how to build it', () => {
  rmSync(join(dirname(launcher), '../dist'), { recursive: true });
  const { stderr, status } = run(launcher);
  expect(status).toBe(125);
  expect(stderr).toMatch(/^slipway is not built yet: run "npm run build" in .*\n$/);
});

it('hands over to the Node that came with the packages', () => {
  bringNode();
  expect(run('--require', old, launcher, 'a', '--b')).toEqual({
    stdout: 'true a --b\n',
    stderr: '',
    status: 7,
  });
});

it('says in one line that Node is too old', () => {
  const { stdout, stderr, status } = run('--require', old, launcher);
  expect({ stdout, status }).toEqual({ stdout: '', status: 125 });
  expect(stderr).toMatch(/^slipway needs Node 24 or newer, this is .*\n$/);
});

it('passes signals on', async () => {
  bringNode();
  writeEntry(
    "process.on('SIGTERM', () => process.exit(42)); setInterval(() => {}, 1000); console.log('ready');",
  );
  const child = spawn(process.execPath, ['--require', old, launcher], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([42, null]);
});

it('ends with 128 and the number of the signal that ended the program', async () => {
  bringNode();
  writeEntry("process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000);");
  expect(run('--require', old, launcher).status).toBe(137);
});
