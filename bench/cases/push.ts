import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { findProgram } from '../../tools/base/programs.ts';
import type { Bench, BenchEnvironment } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound, type Report } from '../report.ts';

/** Of the image, whose layers are half of what gzip can do nothing with. SLIPWAY_BENCH_MB makes it smaller. */
const MEGABYTES = Number(process.env.SLIPWAY_BENCH_MB ?? 500);
const LAYERS = 5;
const OURS = 'slipway';

/** An image of packed layers to a registry on the loopback that has nothing of it, and the same once more. */
export const push: Bench = {
  name: 'push',
  async run(environment) {
    const missing: Report['missing'] = ['docker-registry', 'skopeo']
      .filter((name) => findProgram(name) === undefined)
      .map((name) => ({ name, reason: 'it is not installed' }));
    const title = `An image of ${MEGABYTES} MB in ${LAYERS} layers, gzip (ours at level 4, the others at theirs), to a registry`;
    if (missing.length > 0) return { title, values: [], bounds: [], missing };
    await using registry = await startRegistry(environment.memory);
    const name = `127.0.0.1:${registry.port}/slipway-bench/push:1`;
    const pushes = prepare(environment, name, missing);
    const first: Candidate[] = pushes.map(([who, run]) => ({ name: who, prepare: registry.clear, run }));
    const times = await medians(first, Math.max(1, Math.min(3, environment.rounds)));
    const again = await medians(
      pushes.map(([who, run]) => ({ name: `${who}, again`, prepare: () => run(), run })),
      Math.max(1, Math.min(5, environment.rounds)),
    );
    const all = new Map([...times, ...again]);
    return {
      title,
      values: [...all].map(([who, value]) => ({ name: who, value, unit: 'ms' })),
      bounds: pushes.slice(1).flatMap(([who]) => bound(times, { of: OURS, to: who }, 1.05)),
      missing,
    };
  },
};

/** The image for each of them, and what pushes it. */
function prepare(
  { slipway, shared, memory, docker, buildah }: BenchEnvironment,
  name: string,
  missing: Report['missing'],
): [string, () => void][] {
  const context = join(shared, 'push');
  mkdirSync(context);
  const layer = (MEGABYTES << 20) / LAYERS;
  for (let index = 0; index < LAYERS; index++) {
    const content = Buffer.alloc(layer, `line ${index} of a file that can be compressed well\n`);
    for (let at = 0; at + 8192 <= layer; at += 8192) randomBytes(4096).copy(content, at);
    writeFileSync(join(context, `file${index}`), content);
  }
  const lines = Array.from({ length: LAYERS }, (_, index) => `COPY file${index} /`);
  writeFileSync(join(context, 'Dockerfile'), `FROM scratch\n${lines.join('\n')}\n`);
  runProgram([...slipway, 'build', '-q', '-t', name, context]);
  const archive = join(shared, 'push.tar');
  runProgram([...slipway, 'save', '-o', archive, name]);
  const bare = `dir:${join(memory, 'bare')}`;
  runProgram(['skopeo', '--insecure-policy', 'copy', `docker-archive:${archive}`, bare]);
  const copy = [
    'skopeo',
    '--insecure-policy',
    'copy',
    '--dest-compress',
    '--dest-tls-verify=false',
    bare,
    `docker://${name}`,
  ];
  const pushes: [string, () => void][] = [
    [OURS, () => runProgram([...slipway, 'push', '-q', name])],
    ['skopeo', () => runProgram(copy)],
  ];
  for (const [who, found, load, more] of [
    ['docker', docker, ['load', '-i', archive], ['push', '-q']],
    ['buildah', buildah, ['pull', `docker-archive:${archive}`], ['push', '-q', '--tls-verify=false']],
  ] as const) {
    if ('missing' in found) {
      missing.push({ name: who, reason: found.missing });
      continue;
    }
    const { command, env } = found;
    runProgram([...command, ...load], { env });
    pushes.push([who, () => runProgram([...command, ...more, name], { env })]);
  }
  rmSync(archive);
  return pushes;
}

async function startRegistry(memory: string) {
  const folder = join(memory, 'registry');
  mkdirSync(folder);
  const port = await freePort();
  const file = join(memory, 'registry.json');
  // Nothing is remembered, so that the storage can be emptied under it.
  const storage = { filesystem: { rootdirectory: folder } };
  writeFileSync(
    file,
    JSON.stringify({
      version: '0.1',
      log: { accesslog: { disabled: true }, level: 'error' },
      storage,
      http: { addr: `127.0.0.1:${port}` },
    }),
  );
  const child: ChildProcess = spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/v2/`);
      break;
    } catch {
      await setTimeout(50);
    }
  }
  return {
    port,
    clear: () => rmSync(join(folder, 'docker'), { recursive: true, force: true }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
