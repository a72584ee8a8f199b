/**
 * Writes what a real engine makes of the ignore files in testdata/context/ignore-cases.json into that file, or with
 * `--verify` compares. The docker command is taken from DOCKER (words separated by blanks), default `docker`:
 *
 *     DOCKER="docker" node test/context/record-engine-cases.ts [--verify]
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { extract } from 'tar-stream';
import { type IgnoreCases, makeTree } from './ignore-cases.ts';

const file = new URL('../../testdata/context/ignore-cases.json', import.meta.url);
const [command, ...words] = (process.env.DOCKER ?? 'docker').split(' ');
const docker = (args: string[], input?: string) =>
  spawnSync(command!, [...words, ...args], {
    input,
    maxBuffer: 1 << 28,
    env: { ...process.env, DOCKER_BUILDKIT: '1' },
  });

const cases = JSON.parse(fs.readFileSync(file, 'utf8')) as IgnoreCases;
const recorded: IgnoreCases = { engine: '', tree: cases.tree, cases: [] };
recorded.engine = docker(['version', '--format', '{{.Server.Version}}']).stdout.toString().trim();
for (const one of cases.cases) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ignore-case-'));
  makeTree(root, one.files ?? cases.tree);
  fs.writeFileSync(path.join(root, '.dockerignore'), Buffer.from(one.ignore, 'utf8'));
  const built = docker(
    ['build', '-q', '-f', '-', '-o', 'type=tar,dest=-', root],
    'FROM scratch\nCOPY . /x\n',
  );
  fs.rmSync(root, { recursive: true });
  const { visible: _visible, error: _error, ...input } = one;
  if (built.status !== 0) {
    const stderr = built.stderr.toString();
    const error = /(illegal exclusion pattern: "!"|syntax error in pattern)/.exec(stderr)?.[1];
    recorded.cases.push({ ...input, error: error ?? stderr });
    continue;
  }
  const names = await listNames(built.stdout);
  const visible = names.flatMap((name) => (/^x\/./.test(name) ? [name.slice(2).replace(/\/$/, '')] : []));
  recorded.cases.push({ ...input, visible: visible.sort() });
}
const text = `${JSON.stringify(recorded, null, 1)}\n`;
if (!process.argv.includes('--verify')) fs.writeFileSync(file, text);
else if (text !== fs.readFileSync(file, 'utf8')) throw new Error('the engine gives other results');

async function listNames(archive: Buffer): Promise<string[]> {
  const names: string[] = [];
  const parser = extract();
  parser.end(archive);
  for await (const entry of parser) {
    names.push(entry.header.name);
    entry.resume();
  }
  return names;
}
