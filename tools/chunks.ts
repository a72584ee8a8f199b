import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Where a fully cached build goes. */
const CACHED_BUILD = [
  'src/cli/commands/build.ts',
  'src/cli/commands/build-run.ts',
  'src/context/directory-context.ts',
];

/** What a build loads beyond that when a step runs. */
const RUNNING_BUILD = [
  'src/execute/worker-process.ts',
  'src/record/step-listings.ts',
  'src/engine/collect-when-due.ts',
];

/** An import that is carried out when the module is loaded: no type, no `await import()`. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'"();]*?\sfrom\s+)?['"](\.[^'"]+)['"]/gm;

/** A file of the bundle: which modules lie in it. */
export interface ChunkGroup {
  name: string;
  test: (id: string) => boolean;
}

/**
 * Groups of the front's modules that are bundled into one file each: what is loaded together lies together, and
 * nothing else with it. Loading a file takes a millisecond whatever its size; in small files that was half of the time
 * of a cached build.
 */
export function frontGroups(root: string): ChunkGroup[] {
  const main = staticClosure(root, ['src/cli/main.ts']);
  const build = staticClosure(root, CACHED_BUILD);
  const running = staticClosure(root, RUNNING_BUILD);
  // Commands that only look into the store need no more of a build; nor does a worker that starts before it is loaded.
  const store = staticClosure(root, [
    ...[...build].filter((path) => /\/src\/(?:store|image)\//.test(path)),
    'src/execute/early-worker.ts',
  ]);
  return firstOf([
    { name: 'start', test: (id) => main.has(id) },
    { name: 'store', test: (id) => store.has(id) },
    { name: 'build', test: (id) => build.has(id) },
    {
      name: 'running',
      test: (id) => running.has(id) || /\/node_modules\/(?:p-queue|p-timeout|eventemitter3)\//.test(id),
    },
  ]);
}

/** Groups of the worker's and its threads', which share no file with the front: each would load the other's too. */
export function workerGroups(root: string): ChunkGroup[] {
  const thread = staticClosure(root, ['src/execute/worker/thread.ts']);
  const worker = staticClosure(root, ['src/execute/worker/main.ts', 'src/runtime/select-runtime.ts']);
  return firstOf([
    { name: 'layers', test: (id) => thread.has(id) && worker.has(id) },
    { name: 'worker', test: (id) => worker.has(id) },
  ]);
}

/** A module lies in the first group that takes it. */
function firstOf(groups: readonly ChunkGroup[]): ChunkGroup[] {
  const groupOf = (id: string) => groups.find((group) => group.test(id));
  return groups.map((group) => ({ name: group.name, test: (id) => groupOf(id) === group }));
}

/** Absolute paths of modules (given as such, or from the root) and of everything that they import statically. */
function staticClosure(root: string, modules: readonly string[]): Set<string> {
  const found = new Set(modules.map((path) => resolve(root, path)));
  for (const path of found) {
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(STATIC_IMPORT))
      found.add(join(dirname(path), specifier!));
  }
  return found;
}
