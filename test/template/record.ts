/**
 * Records what Docker's own command line makes of the templates in testdata/template/templates.txt, on the image of
 * testdata/template/Dockerfile. `PEERS_IN=./in node test/template/record.ts BASE`; BASE is an image that the engine can
 * pull or has.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../testdata/template');
const image = 'slipway-templates:1';

function docker(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const prefix = process.env.PEERS_IN === undefined ? [] : [process.env.PEERS_IN];
  const [program, ...rest] = [...prefix, 'docker', ...args];
  return spawnSync(program!, rest, { encoding: 'utf8' });
}

const context = mkdtempSync(join(tmpdir(), 'slipway-templates-'));
writeFileSync(join(context, 'Dockerfile'), readFileSync(join(folder, 'Dockerfile')));
const built = docker('build', '-q', `--build-arg=BASE=${process.argv[2]}`, '-t', image, context);
if (built.status !== 0) throw new Error(built.stderr);
rmSync(context, { recursive: true });

const version = docker('version', '--format', '{{.Client.Version}}').stdout.trim();
const document = JSON.parse(docker('inspect', image).stdout)[0];
// Folders of the machine that recorded.
document.GraphDriver.Data = {};
const cases = readFileSync(join(folder, 'templates.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((template) => {
    const { status, stdout, stderr } = docker('inspect', '--format', template, image);
    return { template, status, stdout, stderr };
  });
writeFileSync(
  join(folder, 'recorded.json'),
  `${JSON.stringify({ recordedWith: `docker ${version}`, document, cases }, null, 1)}\n`,
);
docker('rmi', image);
