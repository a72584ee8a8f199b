/**
 * Writes what a real engine makes of the cases in testdata/differential, or compares with `--verify`:
 *
 *     DOCKER="docker" node test/differential/record.ts [--verify] [CASE…]
 *
 * DOCKER is a command line (default `docker`); the engine has to see the temporary folder. As root: contexts hold
 * devices. The engine's images of the cases are removed again, the bases stay.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildFlags,
  type Case,
  type Expected,
  expectedPath,
  type Recording,
  readBases,
  readCases,
  recordingPath,
} from './cases.ts';
import { compared } from './compare.ts';
import { listFiles } from './listing.ts';
import { makeTar } from './make-tar.ts';
import { makeTree } from './make-tree.ts';
import { readImage } from './read-image.ts';

const TAG = 'slipway.test/result:1';
const verify = process.argv.includes('--verify');
const chosen = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const temporary = mkdtempSync(join(tmpdir(), 'slipway-record-'));
let different = 0;

try {
  const recording = recordBases();
  settle(recordingPath, recording);
  for (const one of readCases()) {
    if (chosen.length > 0 && !chosen.includes(one.name)) continue;
    try {
      settle(expectedPath(one.name), await recordCase(one, recording));
    } catch (error) {
      different++;
      process.stdout.write(`${(error as Error).message}\n`);
    }
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
if (different > 0) process.exitCode = 1;

function docker(args: string[], input?: Buffer): { status: number | null; stdout: Buffer; stderr: string } {
  const [program, ...words] = (process.env.DOCKER ?? 'docker').split(' ');
  const { status, stdout, stderr } = spawnSync(program!, [...words, ...args], {
    input: input ?? Buffer.alloc(0),
    maxBuffer: 1 << 30,
    env: { ...process.env, DOCKER_BUILDKIT: '1' },
  });
  return { status, stdout, stderr: String(stderr) };
}

function succeed(args: string[], input?: Buffer): Buffer {
  const { status, stdout, stderr } = docker(args, input);
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function recordBases(): Recording {
  const bases: Recording['bases'] = {};
  for (const [name, entries] of Object.entries(readBases())) {
    succeed(['import', '-', name], makeTar(entries));
    bases[name] = {
      sha256: baseDigest(entries),
      files: listFiles(readImage(succeed(['save', name])).layers),
    };
  }
  const engine = succeed(['version', '--format', '{{.Server.Version}}']).toString().trim();
  return { engine: `docker ${engine}`, builder: builderOf(), bases };
}

function baseDigest(entries: ReturnType<typeof readBases>[string]): string {
  const files = { ...entries };
  delete files['bin/busybox'];
  return createHash('sha256').update(makeTar(files)).digest('hex');
}

/** The version of BuildKit in the engine, as buildx sees it. */
function builderOf(): string {
  const { stdout } = docker(['buildx', 'inspect']);
  const version = /^BuildKit(?: version)?:\s*(\S+)/m.exec(stdout.toString())?.[1];
  return version === undefined ? 'BuildKit of this engine' : `BuildKit ${version}`;
}

async function recordCase(one: Case, recording: Recording): Promise<Expected> {
  // The engine takes files of equal size and time from the last context whose folder had the same name.
  const context = mkdtempSync(join(temporary, `${one.name}-`));
  await makeTree(context, one.context ?? {});
  const first = `slipway.test/first-${one.name}:1`;
  const build = (file: string, tag: string): ReturnType<typeof docker> => {
    const copy = join(temporary, `${one.name}.Dockerfile`);
    writeFileSync(copy, readFileSync(file));
    const flags = ['--no-cache', '--network=host', '--progress=plain', '-f', copy, '-t', tag];
    return docker(['build', ...flags, ...(tag === TAG ? buildFlags(one) : []), context]);
  };
  if (one.first !== undefined) {
    const { status, stderr } = build(one.first, first);
    if (status !== 0) throw new Error(`${one.name}, first Dockerfile: ${stderr}`);
  }
  const { status, stderr } = build(one.dockerfile, TAG);
  const expected: Expected =
    status === 0 ? compared(readImage(succeed(['save', TAG])), recording.bases) : { error: errorOf(stderr) };
  if (status === 0) succeed(['rmi', TAG]);
  if (one.first !== undefined) succeed(['rmi', first]);
  const error = 'error' in expected ? expected.error : undefined;
  if ((error === undefined) !== (one.fails === undefined) || error?.includes(one.fails!) === false)
    throw new Error(
      `${one.name}: should ${one.fails === undefined ? 'work' : `fail: ${one.fails}`}; the engine: ${error}`,
    );
  return expected;
}

/** The engine's last word, without the folders of its own that stand in it. */
function errorOf(stderr: string): string {
  const last = stderr.split('\n').findLast((line) => line.startsWith('ERROR: ')) ?? stderr;
  return last
    .replace(/^ERROR: (?:failed to solve: )?/, '')
    .replace(/\/\S*\/buildkit-mount\d+/g, '')
    .replace(/\/\S*\/overlay2\/[^/\s]+\/(?:merged|diff)/g, '')
    .replace(/ref \S+::\S+:/g, 'ref REF:');
}

function settle(path: string, value: object): void {
  const text = `${JSON.stringify(value, null, 1)}\n`;
  const name = path.split('/').slice(-2).join('/');
  if (!verify) {
    writeFileSync(path, text);
    process.stdout.write(`${name}\n`);
    return;
  }
  const same = existsSync(path) && readFileSync(path, 'utf8') === text;
  if (!same) different++;
  process.stdout.write(`${same ? 'same     ' : 'DIFFERENT'} ${name}\n`);
  if (!same) process.stdout.write(text);
}
