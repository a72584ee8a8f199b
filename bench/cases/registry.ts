import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { findProgram } from '../../tools/base/programs.ts';
import type { Bench, BenchEnvironment } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import type { Report } from '../report.ts';

const LAYERS = 5;
const LAYER_BYTES = 100_000_000;
const FILES = 200;
const NAME = 'slipway-bench/pulled:latest';

/** An image of 500 MB in five gzip layers, from a registry on the loopback into an empty store. */
export const pullBench: Bench = {
  name: 'pull',
  async run(environment) {
    const missing: Report['missing'] = [];
    const title = `Pull of ${LAYERS} layers of ${LAYER_BYTES / 1e6} MB from a registry on this machine into an empty store`;
    if (findProgram('docker-registry') === undefined || findProgram('skopeo') === undefined) {
      missing.push({ name: 'registry', reason: 'needs docker-registry and skopeo' });
      return { title, values: [], bounds: [], missing };
    }
    const folder = join(environment.memory, 'registry');
    mkdirSync(folder);
    const registry = await startRegistry(folder);
    try {
      push(environment, { folder, host: registry.host });
      const candidates = pullers(environment, { folder, host: registry.host, missing });
      const times = await medians(candidates, Math.min(environment.rounds, 3));
      const ours = times.get('slipway')!;
      const unpacking = candidates.filter(({ name }) => name !== 'slipway' && !name.includes('dir'));
      const fastest = Math.min(...unpacking.map(({ name }) => times.get(name)!));
      return {
        title,
        values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' as const })),
        bounds: Number.isFinite(fastest)
          ? [{ text: 'slipway / the fastest that unpacks', ratio: ours / fastest, limit: 1 }]
          : [],
        missing,
      };
    } finally {
      registry.child.kill('SIGKILL');
      await once(registry.child, 'close');
      unmountStorage(folder);
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Where skopeo unpacks; its library leaves a mount over a part of it. */
const STORAGE = 'storage-of-skopeo';

function unmountStorage(folder: string): void {
  spawnSync('umount', [join(folder, STORAGE, 'graph/overlay')], { stdio: 'ignore' });
}

interface Place {
  folder: string;
  host: string;
}

async function startRegistry(folder: string): Promise<{ host: string; child: ChildProcess }> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const host = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
  probe.close();
  await once(probe, 'close');
  const file = join(folder, 'config.yml');
  const rootdirectory = join(folder, 'storage');
  writeFileSync(
    file,
    JSON.stringify({ version: '0.1', storage: { filesystem: { rootdirectory } }, http: { addr: host } }),
  );
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  // Its log is read to the end: a closed pipe would kill it.
  await new Promise<void>((resolve) => {
    child.stderr!.on('data', (text: Buffer) => {
      if (text.includes('listening on')) resolve();
    });
  });
  return { host, child };
}

/** Made by our own builder and written as an archive, compressed and pushed by skopeo. */
function push({ slipway }: BenchEnvironment, { folder, host }: Place): void {
  const context = join(folder, 'context');
  for (let layer = 0; layer < LAYERS; layer++) writeFiles(join(context, `l${layer}`), layer);
  const lines = Array.from({ length: LAYERS }, (_, layer) => `COPY l${layer} /l${layer}\n`);
  writeFileSync(join(context, 'Dockerfile'), `FROM scratch\n${lines.join('')}`);
  const archive = join(folder, 'image.tar');
  runProgram([...slipway, 'build', '-q', '--output', `type=oci,dest=${archive}`, context]);
  const flags = ['--insecure-policy', 'copy', '--dest-tls-verify=false', '-q'];
  runProgram(['skopeo', ...flags, `oci-archive:${archive}`, `docker://${host}/${NAME}`]);
  rmSync(context, { recursive: true });
  rmSync(archive);
}

/** Text that gzip makes less than half of, as programs and libraries are. */
function writeFiles(folder: string, seed: number): void {
  mkdirSync(folder, { recursive: true });
  let state = seed + 1;
  const chunk = Buffer.alloc(LAYER_BYTES / FILES);
  for (let file = 0; file < FILES; file++) {
    for (let at = 0; at < chunk.length; at++) {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      chunk[at] = at % 3 === 0 ? state >> 16 : (state >> 20) & 7;
    }
    const fd = openSync(join(folder, `f${file}`), 'w');
    writeSync(fd, chunk);
    closeSync(fd);
  }
}

function pullers(
  { slipway, docker }: BenchEnvironment,
  { folder, host, missing }: Place & { missing: Report['missing'] },
): Candidate[] {
  const image = `${host}/${NAME}`;
  const skopeo = ['skopeo', '--insecure-policy', 'copy', '--src-tls-verify=false', '-q', `docker://${image}`];
  const emptied = (name: string): { path: string; prepare: () => void } => {
    const path = join(folder, name);
    return { path, prepare: () => rmSync(path, { recursive: true, force: true }) };
  };
  const store = emptied('store');
  const storage = emptied(STORAGE);
  const directory = emptied('directory');
  const found: Candidate[] = [
    {
      name: 'slipway',
      prepare: store.prepare,
      run: () => void runProgram([...slipway.slice(0, -1), store.path, 'pull', '-q', image]),
    },
    {
      name: 'skopeo, into containers-storage',
      prepare: () => {
        unmountStorage(folder);
        storage.prepare();
      },
      run: () =>
        void runProgram([
          ...skopeo,
          `containers-storage:[overlay@${storage.path}/graph+${storage.path}/run]${image}`,
        ]),
    },
    {
      name: 'skopeo, into dir (unpacks nothing)',
      prepare: directory.prepare,
      run: () => void runProgram([...skopeo, `dir:${directory.path}`]),
    },
  ];
  if ('missing' in docker) missing.push({ name: 'docker', reason: docker.missing });
  else {
    const { command, env } = docker;
    const [file, ...words] = command;
    found.push({
      name: 'docker',
      prepare: () => void spawnSync(file!, [...words, 'rmi', '-f', image], { env, stdio: 'ignore' }),
      run: () => void runProgram([...command, 'pull', '-q', image], { env }),
    });
  }
  return found;
}
