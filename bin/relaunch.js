// Runs under Node 12.17, as slipway.js does: no optional chaining, no `??`, no `node:` names.

/* biome-ignore-all lint/style/useNodejsImportProtocol: unknown to Node 12 */
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import { constants } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

/**
 * Starts the newer Node that came with the packages, with the same arguments, streams, signals and exit code; `fail`
 * says that there is none.
 */
export function relaunch(needed, fail) {
  const node = findNode();
  if (!node) {
    fail(
      'slipway needs Node ' +
        needed +
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
  for (let folder = dirname(dirname(fileURLToPath(import.meta.url))); ; folder = dirname(folder)) {
    const file = join(folder, 'node_modules', name, 'bin', 'node');
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}
