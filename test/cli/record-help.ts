/**
 * Records the help that a real Docker gives of the commands in testdata/cli/docker-help.json: `PEERS_IN=./in node
 * test/cli/record-help.ts`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const path = join(import.meta.dirname, '../../testdata/cli/docker-help.json');
const recorded = JSON.parse(readFileSync(path, 'utf8')) as { helps: { command: string }[] };
const [program, ...rest] = [...(process.env.PEERS_IN === undefined ? [] : [process.env.PEERS_IN]), 'docker'];
const docker = (...args: string[]): string =>
  execFileSync(program!, [...rest, ...args], { encoding: 'utf8' });
const helps = recorded.helps.map(({ command }) => ({
  command,
  text: docker(...command.split(' '), '--help'),
}));
const version = docker('version', '--format', '{{.Client.Version}}').trim();
writeFileSync(path, `${JSON.stringify({ recordedWith: `docker ${version}`, helps }, null, 1)}\n`);
