import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { takeBuiltins } from './builtin-imports.ts';
import { type ChunkGroup, frontGroups, workerGroups } from './chunks.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');

/**
 * Bundles the command into `out`: one chunk per dynamic import; Node's own modules and koffi's addon stay outside. Each
 * process and thread finds all that it needs in a few files of its own. The thread that hashes a context's files takes
 * 66 ms of a processor to start so, 82 where it shared the front's.
 */
async function bundle(out: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const worker = { worker: 'src/execute/worker/main.ts', thread: 'src/execute/worker/thread.ts' };
  const hashing = { 'file-hash-thread-main': 'src/context/file-hash-thread-main.ts' };
  await Promise.all([
    bundleEntries(out, { input: { main: 'src/cli/main.ts' }, version, groups: frontGroups(ROOT) }),
    bundleEntries(out, { input: worker, version, groups: workerGroups(ROOT) }),
    bundleEntries(out, { input: hashing, version, groups: [] }),
  ]);
}

async function bundleEntries(
  out: string,
  what: { input: Record<string, string>; version: string; groups: ChunkGroup[] },
): Promise<void> {
  const external = new Set([...builtinModules, 'koffi']);
  // An entry does something when it is loaded: it lies in a file of its own.
  const entries = new Set(Object.values(what.input).map((path) => join(ROOT, path)));
  const groups = what.groups.map(({ name, test }) => ({
    name,
    test: (id: string) => !entries.has(id) && test(id),
  }));
  const build = await rolldown({
    input: what.input,
    cwd: ROOT,
    platform: 'node',
    external: (id) => id.startsWith('node:') || external.has(id),
    transform: { define: { SLIPWAY_VERSION: JSON.stringify(what.version) } },
    logLevel: 'warn',
    preserveEntrySignatures: 'allow-extension',
  });
  await build.write({
    dir: out,
    format: 'esm',
    minify: 'dce-only',
    codeSplitting: groups.length === 0 ? true : { includeDependenciesRecursively: false, groups },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunk-[name]-[hash].js',
    plugins: [{ name: 'take-builtins', renderChunk: takeBuiltins }],
  });
  await build.close();
}

/** Compiles the library with its declarations into `out`. */
function library(out: string): Promise<void> {
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', out];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`tsc ended with ${code}`));
    });
  });
}

/** Puts a finished folder in its place; a process that starts meanwhile finds the old one or the new one. */
function replace(from: string, to: string, aside: string): void {
  if (existsSync(to)) renameSync(to, aside);
  renameSync(from, to);
}

const began = performance.now();
mkdirSync(DIST, { recursive: true });
const scratch = mkdtempSync(join(DIST, '.build-'));
try {
  await Promise.all([bundle(join(scratch, 'cli')), library(join(scratch, 'lib'))]);
  for (const name of ['cli', 'lib'])
    replace(join(scratch, name), join(DIST, name), join(scratch, `${name}.old`));
  // The code cache belongs to the files that have gone.
  rmSync(join(DIST, '.cache'), { recursive: true, force: true });
  console.log(`built dist in ${((performance.now() - began) / 1000).toFixed(1)} s`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
