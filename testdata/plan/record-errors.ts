/**
 * Records how a real engine refuses the files in errors.json: `DOCKER="docker" node record-errors.ts`. `ours`, where
 * there is one, is kept: there we differ, and `why` says why.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Case {
  file: string;
  error?: string;
  ours?: string;
  why?: string;
}

const path = join(import.meta.dirname, 'errors.json');
const table: { engine: string; cases: Case[] } = JSON.parse(readFileSync(path, 'utf8'));
const docker = (process.env.DOCKER ?? 'docker').split(' ');
const context = mkdtempSync(join(tmpdir(), 'slipway-errors-'));

function run(args: string[]) {
  const [program, ...rest] = docker;
  const env = { ...process.env, DOCKER_BUILDKIT: '1' };
  return spawnSync(program!, [...rest, ...args], { encoding: 'utf8', env });
}

try {
  table.engine = `docker ${run(['version', '--format', '{{.Server.Version}}']).stdout.trim()}`;
  for (const entry of table.cases) {
    writeFileSync(join(context, 'Dockerfile'), entry.file);
    const { status, stderr } = run(['build', '--progress=plain', context]);
    const error = /^ERROR: failed to solve: (.*)$/m.exec(stderr);
    if (status !== 0 && error === null) throw new Error(`${JSON.stringify(entry.file)}: ${stderr}`);
    entry.error = error?.[1] ?? '(accepted)';
  }
  const rows = table.cases.map((entry) => `  ${JSON.stringify(entry)}`);
  writeFileSync(path, `{"engine": ${JSON.stringify(table.engine)}, "cases": [\n${rows.join(',\n')}\n]}\n`);
} finally {
  rmSync(context, { recursive: true, force: true });
}
