/**
 * `npm run demo`: pulls a small base image where a registry can be reached, else makes one out of what this machine has,
 * builds the Dockerfile beside this file and runs the result. The second time every step says CACHED. With `--expect-cached` the exit code is 1 when one does not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { makeBaseRootfs } from '../../tools/base/base.ts';

const BASE = 'slipway-demo/base:latest';
/** Small, static, and with a shell; or another image with a shell, in full. */
const OWN_BASE = process.env.SLIPWAY_DEMO_BASE;
const REMOTE_BASE = OWN_BASE ?? 'docker.io/library/busybox:musl';
/** A registry that does not answer by then is taken for none. */
const REACHABLE_MS = 1500;
const PULL_MS = 30_000;
const IMAGE = 'slipway-demo/hello';
const BUILD_STAGE = 'slipway-demo/hello-build';
const LAUNCHER = join(import.meta.dirname, '../../bin/slipway.js');
const CONTEXT = relative(process.cwd(), import.meta.dirname) || '.';

/** A step of the plain progress log: `#5 [build 2/4] COPY greeting.txt .`, later `#5 CACHED` or `#5 DONE 0.1s`. */
const STEP = /^#(\d+) \[\S+ +\d+\/\d+\] /;
const CACHED = /^#(\d+) CACHED/;

// A base that was made stays, whatever can be reached by now: another would run every step again.
if (!hasPulledBase() && (hasBase() || !pullBase())) await importBase();
const log = await build('-t', IMAGE);
await build('-t', BUILD_STAGE, '--target', 'build', '-q');
say(`Size of stage build: ${sizeOf(BUILD_STAGE)}, of the result: ${sizeOf(IMAGE)}`);

const runArgs = ['run', '--rm', ...userFlags(), IMAGE];
show(...runArgs);
const run = spawnSync(process.execPath, [LAUNCHER, ...runArgs], { stdio: 'inherit' });
if (run.status !== 0) fail(`the image did not run: exit code ${run.status}`);

const fresh = stepsNotCached(log);
say(fresh.length === 0 ? '\nEvery step was CACHED.' : '\nRun it again: every step will say CACHED.');
if (process.argv.includes('--expect-cached') && fresh.length > 0) fail(`not cached:\n${fresh.join('\n')}`);

function hasBase(): boolean {
  return spawnSync(process.execPath, [LAUNCHER, 'inspect', BASE]).status === 0;
}

/** It is a pulled one from an earlier run: the same image has the registry's name, too. */
function hasPulledBase(): boolean {
  const known = spawnSync(process.execPath, [LAUNCHER, 'inspect', BASE], { encoding: 'utf8' });
  const pulled = known.status === 0 && known.stdout.includes(REMOTE_BASE.replace('docker.io/library/', ''));
  if (pulled) say(`Base image ${BASE}: ${REMOTE_BASE}, pulled earlier`);
  return pulled;
}

/** Pulls the base image; false, without much waiting, where no registry can be reached. */
function pullBase(): boolean {
  if (process.env.SLIPWAY_PULL === 'never' || !isReachable()) return false;
  show('pull', REMOTE_BASE);
  const pull = spawnSync(process.execPath, [LAUNCHER, 'pull', REMOTE_BASE], {
    stdio: ['ignore', 'inherit', 'pipe'],
    timeout: PULL_MS,
  });
  if (pull.status !== 0) {
    say(`It cannot be pulled here: ${`${pull.stderr}`.split('\n')[0] || 'it takes too long'}`);
    return false;
  }
  const tag = spawnSync(process.execPath, [LAUNCHER, 'tag', REMOTE_BASE, BASE], { stdio: 'inherit' });
  if (tag.status !== 0) fail('the base image got no name');
  say(`Base image ${BASE}: ${REMOTE_BASE}`);
  return true;
}

/** In a process of its own: a look-up of a name cannot be stopped. Through a proxy only a pull can tell. */
function isReachable(): boolean {
  if (OWN_BASE !== undefined || process.env.HTTPS_PROXY || process.env.https_proxy) return true;
  const connect = `net.connect(443, 'registry-1.docker.io').on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
  return spawnSync(process.execPath, ['-e', connect], { timeout: REACHABLE_MS }).status === 0;
}

/** Imports the base image, unless the store has it: its only layer is the tar, and goes by the tar's digest. */
async function importBase(): Promise<void> {
  const { tar, origin } = await makeBaseRootfs();
  const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const known = spawnSync(process.execPath, [LAUNCHER, 'inspect', BASE]);
  const made = known.status === 0 && known.stdout.includes(digest);
  say(`${made ? 'Made earlier' : 'No registry can be reached'}. Base image ${BASE}: ${origin}`);
  if (made) return;
  show('import', '-', BASE);
  const done = spawnSync(process.execPath, [LAUNCHER, 'import', '-', BASE], {
    input: tar,
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  if (done.status !== 0) fail('the base image was not imported');
}

/** Builds this folder, shows the progress as it comes and gives it back as text. */
async function build(...flags: string[]): Promise<string> {
  const quiet = flags.includes('-q');
  const args = ['build', ...flags, ...(quiet ? [] : ['--progress=plain']), CONTEXT];
  if (!quiet) show(...args);
  const begin = performance.now();
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    process.stderr.write(chunk);
  });
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) fail(`the build failed: exit code ${status}`);
  if (!quiet) say(`Built in ${((performance.now() - begin) / 1000).toFixed(2)} s`);
  return text;
}

/** The lines of the steps that ran in this build. */
function stepsNotCached(text: string): string[] {
  const lines = text.split('\n');
  const cached = new Set(lines.map((line) => CACHED.exec(line)?.[1]));
  return [...new Set(lines.filter((line) => STEP.test(line)))].filter(
    (line) => !cached.has(STEP.exec(line)![1]),
  );
}

/** The image's user is 1000: whoever has no other ids than their own runs it as the container's root. */
function userFlags(): string[] {
  const { stdout } = spawnSync(process.execPath, [LAUNCHER, 'info'], { encoding: 'utf8' });
  if (!/^Isolation: .*single id/m.test(stdout)) return [];
  say('\nYou have a single id here, so the image runs as root instead of its user (slipway info says why).');
  return ['--user', '0:0'];
}

function sizeOf(image: string): string {
  const { stdout } = spawnSync(process.execPath, [LAUNCHER, 'inspect', image], { encoding: 'utf8' });
  const [{ Size: bytes }] = JSON.parse(stdout) as [{ Size: number }];
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

function show(...args: string[]): void {
  say(`\n$ slipway ${args.join(' ')}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(why: string): never {
  process.stderr.write(`demo: ${why}\n`);
  process.exit(1);
}
