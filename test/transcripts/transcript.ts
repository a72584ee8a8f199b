import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One command line and what it printed, made equal where two engines cannot agree. */
export interface Step {
  command: string;
  /** Standard output and standard error, in this order. */
  output: string;
  status: number | null;
}

const FOLDER = join(import.meta.dirname, '../../testdata/transcripts');

/** The command lines of a transcript. */
export function commandsOf(name: string): string[] {
  return readFileSync(join(FOLDER, `${name}.txt`), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** File of what a real engine said. */
export function recordingOf(name: string): string {
  return join(FOLDER, `${name}.recorded.json`);
}

export interface RunOptions {
  /** A shell function's body that runs the program: `exec docker "$@"`. */
  program: string;
  cwd: string;
  /** Address of a server of `cwd`: $WEB. */
  web: string;
  /** Of a registry, `HOST:PORT`: $REG. */
  registry: string;
  env?: NodeJS.ProcessEnv;
}

/** Runs the command lines in order, and gives those that are compared with what they printed. */
export function runTranscript(commands: readonly string[], options: RunOptions): Step[] {
  const normalise = normaliser(options.web, options.registry);
  return commands.flatMap((line) => {
    const silent = line.startsWith('- ');
    const command = silent ? line.slice(2) : line;
    const script = `D() { ( ${options.program} ); }; ${command}`;
    const result: SpawnSyncReturns<string> = spawnSync('bash', ['-c', script], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env, WEB: options.web, REG: options.registry },
      encoding: 'utf8',
      input: '',
    });
    const { stdout, stderr, status } = result;
    if (silent && status !== 0) throw new Error(`${command}: ${stderr}${stdout}`);
    return silent ? [] : [{ command, output: normalise(stdout + stderr), status }];
  });
}

/**
 * Ids by the order in which they come, times as one word, each program's own name as `D`, errors without the word that
 * says who found them, and without hints.
 */
function normaliser(web: string, registry: string): (text: string) => string {
  const ids = new Map<string, string>();
  return (text) =>
    text
      .replaceAll(registry, '<registry>')
      .replaceAll(web, '<web>')
      .replaceAll(web.slice('http://'.length), '<web>')
      .replace(/\b(?:sha256:)?([0-9a-f]{64}|[0-9a-f]{12})\b/g, (whole, id: string) => {
        const key = id.slice(0, 12);
        if (!ids.has(key)) ids.set(key, `id${ids.size + 1}`);
        const name = ids.get(key)!;
        return whole.startsWith('sha256:') ? `sha256:${name}` : name;
      })
      .replace(/(?:About an? \w+|Less than a second|\d+ (?:second|minute|hour)s?) ago/g, '<ago>')
      // Blocks of the disk that the store lies on.
      .replace(/(?<=reclaimed space: )[1-9][\d.]*[kMG]?B$/gm, '<size>')
      .replace(/^(?:Error response from daemon|Error): /gm, '')
      .replace(/^Hint: .*\n/gm, '')
      .replace(/"?\b(?:docker|slipway)\b"?/g, 'D')
      // Manifests are of another format.
      .replace(/(?<=: digest: \S+ size: )\d+$/gm, '<n>')
      // Padding follows the width of ids and times.
      .replace(/ {3,}/g, '   ')
      .replace(/[ \t]+$/gm, '');
}
