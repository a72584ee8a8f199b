/**
 * Records what a real engine makes of every case beside this file: `DOCKER="docker" BASE=busybox node record.ts`.
 * DOCKER is a command line; BASE an image that the engine has, with /bin/sh. Cases given as arguments are recorded
 * alone. Contexts are copied to the temporary folder, which the engine must see.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface CaseOptions {
  buildArgs?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
}

const docker = (process.env.DOCKER ?? 'docker').split(' ');
const base = process.env.BASE ?? 'busybox';
const here = import.meta.dirname;
const TAG = 'slipway-plan-record:1';

function run(args: string[]): { stdout: Buffer; stderr: string } {
  const [program, ...rest] = docker;
  const result = spawnSync(program!, [...rest, ...args], {
    maxBuffer: 1 << 30,
    env: { ...process.env, DOCKER_BUILDKIT: '1' },
  });
  const stderr = String(result.stderr);
  if (result.status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return { stdout: result.stdout, stderr };
}

/** The image's configuration document as it is, without what differs from build to build. */
function imageDocument(image: string): Record<string, unknown> {
  const folder = mkdtempSync(join(temporary, 'image-'));
  spawnSync('tar', ['-x', '-C', folder], { input: run(['save', image]).stdout });
  const [manifest] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const document = JSON.parse(readFileSync(join(folder, manifest.Config), 'utf8'));
  const history = document.history.map(({ created: _, ...entry }: { created?: string }) => entry);
  const { architecture, os, author, config, rootfs } = document;
  return { architecture, os, author, config, history, layers: rootfs?.diff_ids?.length ?? 0 };
}

const temporary = mkdtempSync(join(tmpdir(), 'slipway-record-'));
try {
  const engine = `docker ${run(['version', '--format', '{{.Server.Version}}']).stdout.toString().trim()}`;
  const chosen = process.argv.slice(2);
  const names = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const baseDocument = { engine, name: base, ...imageDocument(base) };
  writeFileSync(join(here, 'base.json'), `${JSON.stringify(baseDocument, null, 2)}\n`);
  for (const { name } of names) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const context = join(temporary, name);
    cpSync(join(here, name), context, { recursive: true });
    let options: CaseOptions = {};
    try {
      options = JSON.parse(readFileSync(join(here, name, 'options.json'), 'utf8'));
    } catch {
      // Most cases need none.
    }
    const flags = ['--build-arg', `BASE=${base}`, '--network=host', '--progress=plain', '-t', TAG];
    for (const [key, value] of Object.entries(options.buildArgs ?? {})) flags.push('--build-arg', `${key}=${value}`);
    for (const [key, value] of Object.entries(options.labels ?? {})) flags.push('--label', `${key}=${value}`);
    if (options.target !== undefined) flags.push('--target', options.target);
    const { stderr } = run(['build', ...flags, context]);
    const steps = new Set<string>();
    for (const [, step] of stderr.matchAll(/^#[0-9]+ (\[(?:[^\]\n]* )? ?[0-9]+\/[0-9]+\] .*)$/gm)) steps.add(step!);
    const document = { engine, ...imageDocument(TAG), steps: [...steps].sort() };
    writeFileSync(join(here, name, 'expected.json'), `${JSON.stringify(document, null, 2)}\n`);
    run(['rmi', '-f', TAG]);
    process.stdout.write(`${name}\n`);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
