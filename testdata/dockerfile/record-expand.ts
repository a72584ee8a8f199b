/**
 * Records what a real engine makes of the words in expand.json: `DOCKER="docker" node record-expand.ts`. Words that
 * expand share one build, as labels; the others get one each, for the error. Those recorded before are left unless
 * `--all` is given. `ours`, where there is one, is kept: there
 * we differ, and `why` says why.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Case {
  rule: string;
  word: string;
  value?: string;
  error?: string;
  ours?: unknown;
  why?: string;
}

const file = join(import.meta.dirname, 'expand.json');
const table: { engine: string; env: Record<string, string>; cases: Case[] } = JSON.parse(readFileSync(file, 'utf8'));
const docker = (process.env.DOCKER ?? 'docker').split(' ');
const TAG = 'slipway-expand-record:1';
const context = mkdtempSync(join(tmpdir(), 'slipway-expand-'));

function run(args: string[]) {
  const [program, ...rest] = docker;
  const env = { ...process.env, DOCKER_BUILDKIT: '1' };
  return spawnSync(program!, [...rest, ...args], { encoding: 'utf8', env });
}

function build(words: readonly string[]): { labels: string[] } | { error: string } {
  const env = Object.entries(table.env).map(([key, value]) => `ENV ${key}='${value}'`);
  const labels = words.map((word, index) => `LABEL l${index}=${word}`);
  writeFileSync(join(context, 'Dockerfile'), `${['FROM scratch', ...env, ...labels].join('\n')}\n`);
  const { status, stderr } = run(['build', '--progress=plain', '-t', TAG, context]);
  if (status !== 0) {
    const error = /^ERROR: failed to solve: (.*)$/m.exec(stderr);
    // Anything else is no answer of the engine.
    if (error === null) throw new Error(stderr);
    return { error: error[1]! };
  }
  const inspected = JSON.parse(run(['image', 'inspect', TAG]).stdout)[0].Config.Labels;
  return { labels: words.map((_, index) => inspected[`l${index}`]) };
}

/** Halves a batch that fails until the words that fail stand alone. */
function record(cases: readonly Case[]): void {
  const outcome = build(cases.map(({ word }) => word));
  if ('labels' in outcome) {
    cases.forEach((entry, index) => {
      delete entry.error;
      entry.value = outcome.labels[index]!;
    });
  } else if (cases.length === 1) {
    delete cases[0]!.value;
    cases[0]!.error = outcome.error;
  } else {
    const middle = cases.length >> 1;
    record(cases.slice(0, middle));
    record(cases.slice(middle));
  }
}

try {
  table.engine = `docker ${run(['version', '--format', '{{.Server.Version}}']).stdout.trim()}`;
  const isOpen = (entry: Case) => !('value' in entry || 'error' in entry);
  const all = process.argv.includes('--all');
  // What crashes an engine is never sent to it.
  record(table.cases.filter((entry) => !entry.why?.includes('Never recorded') && (all || isOpen(entry))));
  run(['rmi', '-f', TAG]);
  const rows = table.cases.map((entry) => `  ${JSON.stringify(entry)}`);
  const head = `{"engine": ${JSON.stringify(table.engine)}, "env": ${JSON.stringify(table.env)}, "cases": [`;
  writeFileSync(file, `${head}\n${rows.join(',\n')}\n]}\n`);
} finally {
  rmSync(context, { recursive: true, force: true });
}
