import type { EarlyWorker } from '../execute/early-worker.ts';
import { ownProcess } from '../sys/optimizer.ts';
import { type CommandLineError, EXIT_USAGE, interpret, type ProcessContext } from './dispatch.ts';

/** Exit code of a process ended by an interrupt, as shells have it; likewise 143 for SIGTERM. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const EXIT_BROKEN_PIPE = 141;

ownProcess();
const controller = new AbortController();
let stoppedBy: number | undefined;

/** The first one asks the command to stop and clean up; the second one does not wait. */
function stop(exitCode: number): void {
  if (stoppedBy !== undefined) process.exit(stoppedBy);
  stoppedBy = exitCode;
  controller.abort();
}

/** How often the heap is looked at, and from which size on its young generation grows no more. */
const LOOK_AT_HEAP_MS = 50;
const LARGE_HEAP_BYTES = 36 << 20;

/**
 * Holds the young generation of a large heap at the size that it has by then: it would grow to 48 MB, and what is
 * promoted late to as much again (200,000 files: 350 MB become 230). Not sooner, since V8 takes no code that was kept
 * under other flags: what is loaded later, each thread too, takes twice as long. At 64 MiB it has grown already.
 */
const watch = setInterval(() => {
  const v8 = process.getBuiltinModule('node:v8');
  if (v8.getHeapStatistics().total_heap_size < LARGE_HEAP_BYTES) return;
  v8.setFlagsFromString('--semi-space-growth-factor=1');
  clearInterval(watch);
}, LOOK_AT_HEAP_MS).unref();

/** Set while a command takes signals itself, to pass them on to a container. */
let takeSignal: ((signal: NodeJS.Signals) => void) | undefined;

for (const [name, exitCode] of Object.entries(EXIT_CODES)) {
  process.on(name, (signal: NodeJS.Signals) => (takeSignal ? takeSignal(signal) : stop(exitCode)));
}

// A reader that has gone (`slipway images | head`) is no error: nothing is said, the work ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (stoppedBy !== undefined) return;
  if (error.code !== 'EPIPE')
    process.stderr.write(`slipway: cannot write to standard output: ${error.message}\n`);
  stop(error.code === 'EPIPE' ? EXIT_BROKEN_PIPE : 1);
});
// There is no place left to say that nothing can be said.
process.stderr.on('error', () => {});

async function main(): Promise<number> {
  const { stdout, stderr, env } = process;
  const argv = process.argv.slice(2);
  let debug = false;
  let path = 'slipway';
  let early: EarlyWorker | undefined;
  try {
    const outer: ProcessContext = {
      stdin: () => process.stdin,
      stdout,
      stderr,
      env,
      signal: controller.signal,
      takeSignals(handler: (signal: NodeJS.Signals) => void) {
        takeSignal = handler;
        return () => {
          takeSignal = undefined;
        };
      },
      keepEarly(worker) {
        early = worker;
      },
    };
    const invocation = await interpret(argv, outer);
    if (invocation.kind === 'print') {
      stdout.write(invocation.text);
      return 0;
    }
    ({ debug, path } = invocation.context);
    return (await invocation.command.run(invocation.context, invocation.line)) ?? 0;
  } catch (error) {
    if (stoppedBy === EXIT_BROKEN_PIPE) return EXIT_BROKEN_PIPE;
    if (isCommandLineError(error)) {
      const { safeLines } = await import('../progress/safe-text.ts');
      stderr.write(safeLines(error.text));
      return error.exitCode;
    }
    const { renderError } = await import('./render-error.ts');
    const rendered = renderError(error, { path, debug });
    stderr.write(rendered.text);
    return rendered.exitCode;
  } finally {
    await early?.discard();
  }
}

function isCommandLineError(error: unknown): error is CommandLineError {
  return error instanceof Error && 'text' in error && 'exitCode' in error;
}

process.exitCode = EXIT_USAGE;
main().then(
  (exitCode) => {
    // An error of a stream comes after the command has ended.
    process.exitCode = exitCode;
    process.on('exit', () => {
      process.exitCode = stoppedBy ?? exitCode;
    });
  },
  (error: unknown) => {
    process.stderr.write(`slipway: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
