#!/usr/bin/env node
// Runs under any Node from 12 on, so that an old one can say what is missing or hand over to the right one: no
// optional chaining, no `??`, no top-level await, no `node:` names here.

/* biome-ignore-all lint/style/useNodejsImportProtocol: unknown to Node 12 */
/* biome-ignore-all lint/complexity/useOptionalChain: unknown to Node 12 */
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import * as nodeModule from 'module';
import { constants, homedir } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

const NEEDED = 24;
const USAGE_ERROR = 125;
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

if (Number(process.versions.node.split('.')[0]) >= NEEDED) start();
else relaunch();

/** Imports the bundle, with V8's code cache kept beside it or, where that cannot be written, for the user. */
function start() {
  const entry = join(packageRoot, 'dist', 'cli', 'main.js');
  if (!existsSync(entry)) fail(`slipway is not built yet: run "npm run build" in ${packageRoot}`);
  enableCompileCache();
  import('../dist/cli/main.js').catch((error) => {
    fail(`slipway cannot start: ${(error && error.stack) || error}`);
  });
}

function enableCompileCache() {
  const { enable, constants: cache } = {
    enable: nodeModule.enableCompileCache,
    constants: nodeModule.constants,
  };
  if (!enable || process.env.NODE_DISABLE_COMPILE_CACHE) return;
  const failed = cache && cache.compileCacheStatus && cache.compileCacheStatus.FAILED;
  if (enable(join(packageRoot, 'dist', '.cache')).status !== failed) return;
  let home = process.env.XDG_CACHE_HOME;
  try {
    home = home || join(homedir(), '.cache');
  } catch {
    // An id without an account and without HOME: there is no place for a cache.
    return;
  }
  enable(join(home, 'slipway', 'compile'));
}

/** Starts the newer Node that came with the packages, with the same arguments, streams, signals and exit code. */
function relaunch() {
  const node = findNode();
  if (!node) {
    fail(
      'slipway needs Node ' +
        NEEDED +
        ' or newer, this is ' +
        process.version +
        ': install it, or run "npm ci" in a clone of slipway, which brings it',
    );
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  // A terminal sends its signals to the child as well; what was sent to this process alone is passed on.
  ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'].forEach(
    (signal) => {
      process.on(signal, () => {
        const fromTerminal =
          process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT' || signal === 'SIGWINCH');
        if (!fromTerminal) child.kill(signal);
      });
    },
  );
  child.on('error', (error) => fail(`slipway cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exit(signal ? 128 + (constants.signals[signal] || 0) : code);
  });
}

/** The platform's Node package, in the node_modules of this package or of one above it. */
function findNode() {
  const name = `node-${process.platform}-${process.arch}`;
  for (let folder = packageRoot; ; folder = dirname(folder)) {
    const file = join(folder, 'node_modules', name, 'bin', 'node');
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(USAGE_ERROR);
}
