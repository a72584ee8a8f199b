import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/base/programs.ts';
import type { Bench, BenchEnvironment } from '../bench.ts';
import { IMAGE_TEXT, writeImageContext } from '../image-content.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { startRegistry } from '../registry-server.ts';
import type { Report } from '../report.ts';

const NAME = 'slipway-bench/pulled:latest';

/** An image of gzip layers, from a registry on the loopback into an empty store. */
export const pullBench: Bench = {
  name: 'pull',
  async run(environment) {
    const missing: Report['missing'] = [];
    const title = `Pull of ${IMAGE_TEXT}, from a registry on this machine into an empty store`;
    if (findProgram('docker-registry') === undefined || findProgram('skopeo') === undefined) {
      missing.push({ name: 'registry', reason: 'needs docker-registry and skopeo' });
      return { title, values: [], bounds: [], missing };
    }
    const folder = join(environment.memory, 'registry');
    await using registry = await startRegistry(folder);
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
      unmountStorage(folder);
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

/** Made by our own builder and written as an archive, compressed and pushed by skopeo. */
function push({ slipway }: BenchEnvironment, { folder, host }: Place): void {
  const context = join(folder, 'context');
  writeImageContext(context);
  const archive = join(folder, 'image.tar');
  runProgram([...slipway, 'build', '-q', '--output', `type=oci,dest=${archive}`, context]);
  const flags = ['--insecure-policy', 'copy', '--dest-tls-verify=false', '-q'];
  runProgram(['skopeo', ...flags, `oci-archive:${archive}`, `docker://${host}/${NAME}`]);
  rmSync(context, { recursive: true });
  rmSync(archive);
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
