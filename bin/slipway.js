#!/usr/bin/env node
// Runs under any Node from 12.17 on, so that an old one can say what is missing or hand over to the right one: no
// optional chaining, no `??`, no top-level await, no `node:` names here.

/* biome-ignore-all lint/complexity/useOptionalChain: unknown to Node 12 */
const NEEDED = 24;
const USAGE_ERROR = 125;

if (Number(process.versions.node.split('.')[0]) >= NEEDED) start();
else {
  import('./relaunch.js').then(
    ({ relaunch }) => relaunch(NEEDED, fail),
    (error) => fail(`slipway cannot start: ${error.stack}`),
  );
}

/**
 * Imports the bundle, with V8's code cache kept beside it or, where that cannot be written, for the user. Node's own
 * modules are not imported: an import makes all that such a module could give, 8 ms in all.
 */
function start() {
  const { existsSync } = process.getBuiltinModule('fs');
  const { dirname, join } = process.getBuiltinModule('path');
  const packageRoot = dirname(dirname(process.getBuiltinModule('url').fileURLToPath(import.meta.url)));
  const entry = join(packageRoot, 'dist', 'cli', 'main.js');
  if (!existsSync(entry)) fail(`slipway is not built yet: run "npm run build" in ${packageRoot}`);
  enableCompileCache(join(packageRoot, 'dist', '.cache'), join);
  import('../dist/cli/main.js').catch((error) => {
    fail(`slipway cannot start: ${(error && error.stack) || error}`);
  });
}

function enableCompileCache(beside, join) {
  const { enableCompileCache: enable, constants } = process.getBuiltinModule('module');
  if (process.env.NODE_DISABLE_COMPILE_CACHE) return;
  if (enable(beside).status !== constants.compileCacheStatus.FAILED) return;
  let home = process.env.XDG_CACHE_HOME;
  try {
    home = home || join(process.getBuiltinModule('os').homedir(), '.cache');
  } catch {
    // An id without an account and without HOME: there is no place for a cache.
    return;
  }
  enable(join(home, 'slipway', 'compile'));
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(USAGE_ERROR);
}
