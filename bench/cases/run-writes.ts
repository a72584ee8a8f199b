import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_IMAGE, type Bench, type BenchEnvironment } from '../bench.ts';
import { runProgram } from '../measure.ts';
import type { Report } from '../report.ts';

/** Milliseconds that a build may take beyond its command. */
const LIMIT_MS = 500;

const NOW = 'cut -d" " -f1 /proc/uptime';
const WRITE =
  'mkdir /many && i=0 && while [ $i -lt 200 ]; do mkdir /many/$i && j=0 && while [ $j -lt 100 ]; do echo $i.$j > /many/$i/$j; j=$((j+1)); done; i=$((i+1)); done && head -c 200000000 /dev/zero > /large';
const DOCKERFILE = `FROM ${BASE_IMAGE}
RUN echo "begin $(${NOW})" && ${WRITE} && echo "end $(${NOW})"
RUN echo "next $(${NOW})"
`;

/** A RUN that writes 20,000 files and one of 200 MB, and a step after it: what the builder adds to the command. */
export const runWrites: Bench = {
  name: 'run-writes',
  async run(environment) {
    const context = join(environment.shared, 'run-writes');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    const rounds = Math.min(environment.rounds, 3);
    const values: Report['values'] = [];
    const missing: Report['missing'] = [];
    let ours = Number.POSITIVE_INFINITY;
    for (const { name, command, env, prepare } of builders(environment, missing)) {
      const measured = Array.from({ length: rounds }, () => {
        prepare?.();
        return measure([...command, context], env);
      });
      const beyond = median(measured.map((each) => each.beyond));
      if (name === 'slipway') ours = beyond;
      values.push(
        { name: `${name}: the command`, value: median(measured.map((each) => each.own)), unit: 'ms' },
        { name: `${name}: beyond it`, value: beyond, unit: 'ms' },
        { name: `${name}: until the next step`, value: median(measured.map((each) => each.gap)), unit: 'ms' },
      );
    }
    return {
      title: 'A RUN that writes 20,000 files and one of 200 MB, and another step; no cache',
      values,
      bounds: [{ text: `slipway: beyond it / ${LIMIT_MS} ms`, ratio: ours / LIMIT_MS, limit: 1 }],
      missing,
    };
  },
};

interface Builder {
  name: string;
  command: string[];
  env: NodeJS.ProcessEnv;
  prepare?: () => void;
}

function builders(environment: BenchEnvironment, missing: Report['missing']): Builder[] {
  const { slipway, docker, buildah } = environment;
  const image = 'slipway-bench/writes';
  const words = ['build', '--no-cache', '-t', image];
  const found: Builder[] = [
    {
      name: 'slipway',
      command: [...slipway, ...words, '--progress=plain'],
      env: process.env,
      // Its store lies in memory: each round gets what the last one has given back, not what was never used.
      prepare: () => {
        spawnSync(slipway[0]!, [...slipway.slice(1), 'rmi', image]);
        runProgram([...slipway, 'builder', 'prune', '-a', '-f']);
      },
    },
  ];
  if ('missing' in docker) missing.push({ name: 'docker', reason: docker.missing });
  else
    found.push({
      name: 'docker',
      command: [...docker.command, ...words, '--network=host', '--progress=plain'],
      env: docker.env,
    });
  if ('missing' in buildah) missing.push({ name: 'buildah', reason: buildah.missing });
  else found.push({ name: 'buildah', command: [...buildah.command, ...words, '--layers'], env: buildah.env });
  return found;
}

/** Milliseconds; the command says itself when it begins and ends, to a hundredth of a second. */
function measure(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
): { own: number; beyond: number; gap: number } {
  const [file, ...args] = command;
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(file!, args, { env, encoding: 'utf8', maxBuffer: 64 << 20 });
  const total = performance.now() - begin;
  const output = stdout + stderr;
  if (status !== 0) throw new Error(output.slice(-2000));
  const at = (word: string): number => 1000 * Number(new RegExp(`${word} (\\d+\\.\\d+)`).exec(output)![1]);
  const own = at('end') - at('begin');
  return { own, beyond: total - own, gap: at('next') - at('end') };
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[list.length >> 1]!;
}
