import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

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

/** Where the worker goes, also for its first RUN. */
const WORKER = ['src/execute/worker/main.ts', 'src/runtime/select-runtime.ts'];

/** An import that is carried out when the module is loaded: no type, no `await import()`. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'"();]*?\sfrom\s+)?['"](\.[^'"]+)['"]/gm;

/**
 * Groups of modules, but for the entries, that are bundled into one file each: what is loaded together lies together, and nothing else with
 * it. Loading a file takes a third of a millisecond whatever its size, and each process loads what it shares with
 * others; in small files that was half of the time of a cached build.
 */
export function chunkGroups(
  root: string,
  entryPaths: readonly string[],
): { name: string; test: (id: string) => boolean }[] {
  const entries = new Set(entryPaths.map((path) => join(root, path)));
  const main = staticClosure(root, ['src/cli/main.ts']);
  const build = staticClosure(root, CACHED_BUILD);
  const running = staticClosure(root, RUNNING_BUILD);
  const worker = staticClosure(root, WORKER);
  const thread = staticClosure(root, ['src/execute/worker/thread.ts']);
  const below = (id: string): boolean => worker.has(id) || thread.has(id);
  const groupOf = (id: string): string | undefined => {
    // An entry does something when it is loaded, and the worker's ends with its work: nobody else may wait for that.
    if (entries.has(id)) return undefined;
    if (main.has(id)) return below(id) ? 'base' : 'start';
    if (build.has(id)) {
      if (below(id)) return 'common';
      // Commands that only look into the store need no more of it.
      return /\/src\/(?:store|image)\//.test(id) ? 'store' : 'build';
    }
    if (worker.has(id)) return thread.has(id) ? 'layers' : running.has(id) ? 'protocol' : 'worker';
    return running.has(id) || /\/node_modules\/(?:p-queue|p-timeout|eventemitter3)\//.test(id)
      ? 'running'
      : undefined;
  };
  const names = ['start', 'base', 'common', 'store', 'build', 'protocol', 'layers', 'worker', 'running'];
  return names.map((name) => ({
    name,
    test: (id) => groupOf(id) === name,
  }));
}

/** Absolute paths of modules and of everything that they import statically. */
function staticClosure(root: string, modules: readonly string[]): Set<string> {
  const found = new Set(modules.map((path) => join(root, path)));
  for (const path of found) {
    for (const [, specifier] of readFileSync(path, 'utf8').matchAll(STATIC_IMPORT))
      found.add(join(dirname(path), specifier!));
  }
  return found;
}
