import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where a fully cached build goes: its modules are loaded together, by one or two files, not by sixty. */
const CACHED_BUILD = ['src/cli/commands/build.ts', 'src/context/directory-context.ts'];

/** A push, most of which is what speaks with registries: pulls load it too. */
const PUSH = ['src/cli/commands/push.ts', 'src/engine/push/push.ts'];

/** An import that is carried out when the module is loaded: no type, no `await import()`. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^'"();]*?\sfrom\s+)?['"](\.[^'"]+)['"]/gm;

/**
 * Groups of modules that are bundled into one file each. Loading a module takes a third of a millisecond whatever its
 * size, which in small files was half of the time of a cached build.
 */
export function chunkGroups(root: string): { name: string; test: (id: string) => boolean }[] {
  const entry = join(root, 'src/cli/main.ts');
  const main = staticClosure(root, ['src/cli/main.ts']);
  const worker = staticClosure(root, ['src/execute/worker/main.ts']);
  const build = [...staticClosure(root, CACHED_BUILD)].filter((id) => !main.has(id));
  const common = new Set(build.filter((id) => worker.has(id)));
  // Commands that only look into the store need no more of it.
  const store = new Set(build.filter((id) => !common.has(id) && /\/src\/(?:store|image)\//.test(id)));
  const rest = new Set(build.filter((id) => !common.has(id) && !store.has(id)));
  const known = new Set([...main, ...worker, ...build]);
  const push = new Set([...staticClosure(root, PUSH)].filter((id) => !known.has(id)));
  return [
    // The entry itself does something when it is loaded: no worker may find it beside what it shares with it.
    { name: 'start', test: (id) => main.has(id) && !worker.has(id) && id !== entry },
    { name: 'base', test: (id) => main.has(id) && worker.has(id) },
    { name: 'common', test: (id) => common.has(id) || id.includes('rolldown/runtime') },
    { name: 'store', test: (id) => store.has(id) },
    { name: 'build', test: (id) => rest.has(id) },
    { name: 'push', test: (id) => push.has(id) },
  ];
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
