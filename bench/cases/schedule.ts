import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';

const STAGES = 4;
const SECONDS = 2;

/** Stages that sleep at the same time, and what joins them. */
export const parallelStages: Bench = {
  name: 'parallel-stages',
  async run({ rounds, shared, slipway, docker, buildah }) {
    const contexts = { sleeping: join(shared, 'stages-sleep'), empty: join(shared, 'stages-empty') };
    writeContext(contexts.sleeping, SECONDS);
    writeContext(contexts.empty, 0);
    const words = ['build', '--no-cache', '-t', 'slipway-bench/stages'];
    const candidates: Candidate[] = [];
    const add = (name: string, command: readonly string[], env?: NodeJS.ProcessEnv): void => {
      for (const [kind, context] of Object.entries(contexts))
        candidates.push({
          name: `${name}, ${kind}`,
          run: () => runProgram([...command, context], env ? { env } : {}),
        });
    };
    add('slipway', [...slipway, ...words, `--jobs=${STAGES}`]);
    if (!('missing' in docker)) add('docker', [...docker.command, ...words, '--network=host'], docker.env);
    if (!('missing' in buildah))
      add('buildah', [...buildah.command, ...words, `--jobs=${STAGES}`], buildah.env);
    const times = await medians(candidates, Math.min(rounds, 3));
    const empty = times.get('slipway, empty')!;
    const best = SECONDS * 1000 + empty;
    times.set(`${SECONDS} s and an empty build`, best);
    return {
      title: `${STAGES} stages of sleep ${SECONDS}, joined; no cache`,
      values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' })),
      bounds: bound(times, { of: 'slipway, sleeping', to: `${SECONDS} s and an empty build` }, 1.05),
      missing: [
        ...('missing' in docker ? [{ name: 'docker', reason: docker.missing }] : []),
        ...('missing' in buildah ? [{ name: 'buildah', reason: buildah.missing }] : []),
      ],
    };
  },
};

function writeContext(path: string, seconds: number): void {
  const stages = Array.from({ length: STAGES }, (_, index) => [
    `FROM ${BASE_IMAGE} AS s${index}`,
    `RUN sleep ${seconds} && echo ${index} > /o${index}`,
  ]);
  const joined = stages.map((_, index) => `COPY --from=s${index} /o${index} /`);
  mkdirSync(path);
  writeFileSync(join(path, 'Dockerfile'), `${[...stages.flat(), 'FROM scratch', ...joined].join('\n')}\n`);
}

const STEPS = 60;
const JOBS = 4;
/** Long beside what a step costs of itself, so that the order is what is measured. */
const LENGTH_SECONDS = 30;

/**
 * Graphs of sixty steps, made so that there is an order in which four jobs are busy all the time: the builder, which
 * knows the durations of an earlier build and nothing else, must come close to it.
 */
export const schedule: Bench = {
  name: 'schedule',
  async run({ rounds, shared, slipway }) {
    const values: { name: string; value: number; unit: 'ms' }[] = [];
    const times = new Map<string, number>();
    const seeds = [1, 2, 3].slice(0, Math.max(1, Math.min(rounds, 3)));
    for (const seed of seeds) {
      const [context, empty] = [join(shared, `graph-${seed}`), join(shared, `graph-${seed}-empty`)];
      const graph = makeGraph(seed);
      writeGraph(context, graph);
      writeGraph(
        empty,
        graph.map((step) => ({ ...step, seconds: 0 })),
      );
      const words = ['build', '--no-cache', '--all-stages', `--jobs=${JOBS}`, '-o', 'type=cacheonly'];
      words.push('--runtime=embedded');
      const build = (path: string) => runProgram([...slipway, ...words, path]);
      build(context);
      const measured = await medians(
        [
          { name: 'full', run: () => build(context) },
          { name: 'empty', run: () => build(empty) },
        ],
        1,
      );
      const best = Math.max(longestPath(graph), graph.reduce((sum, { seconds }) => sum + seconds, 0) / JOBS);
      times.set(`graph ${seed}`, measured.get('full')!);
      times.set(`graph ${seed}, best`, best * 1000);
      values.push(
        { name: `graph ${seed}`, value: measured.get('full')!, unit: 'ms' },
        { name: `graph ${seed}, best`, value: best * 1000, unit: 'ms' },
        { name: `graph ${seed}, all of no time`, value: measured.get('empty')!, unit: 'ms' },
      );
    }
    return {
      title: `Graphs of ${STEPS} steps with ${JOBS} jobs, embedded runtime; no cache, durations known`,
      values,
      bounds: seeds.flatMap((seed) => bound(times, { of: `graph ${seed}`, to: `graph ${seed}, best` }, 1.05)),
      missing: [],
    };
  },
};

interface GraphStep {
  seconds: number;
  /** Indices of earlier steps. */
  after: number[];
}

/** Lanes filled to the same length; a step waits for some that end, in their lanes, before it begins. */
function makeGraph(seed: number): GraphStep[] {
  const random = numbers(seed);
  const placed: { begin: number; end: number }[] = [];
  for (let lane = 0; lane < JOBS; lane++) {
    const weights = Array.from({ length: STEPS / JOBS }, () => 0.3 + random());
    const scale = LENGTH_SECONDS / weights.reduce((sum, weight) => sum + weight, 0);
    let at = 0;
    for (const weight of weights) {
      placed.push({ begin: at, end: at + weight * scale });
      at += weight * scale;
    }
  }
  placed.sort((a, b) => a.begin - b.begin);
  return placed.map(({ begin, end }, index) => {
    const possible = placed.slice(0, index).flatMap((other, at) => (other.end <= begin ? [at] : []));
    const near = possible.slice(-6);
    const after = near.filter(() => random() < 0.25).slice(0, 2);
    return { seconds: end - begin, after };
  });
}

function longestPath(graph: readonly GraphStep[]): number {
  const ends: number[] = [];
  for (const { seconds, after } of graph)
    ends.push(seconds + Math.max(0, ...after.map((index) => ends[index]!)));
  return Math.max(...ends);
}

function writeGraph(path: string, graph: readonly GraphStep[]): void {
  const lines = graph.flatMap(({ seconds, after }, index) => {
    const [first, ...others] = after;
    const mounts = others.map(
      (other, at) => `--mount=type=bind,from=s${other},source=/o${other},target=/d${at} `,
    );
    return [
      `FROM ${first === undefined ? BASE_IMAGE : `s${first}`} AS s${index}`,
      `RUN ${mounts.join('')}sleep ${seconds.toFixed(3)} && echo ${index} > /o${index}`,
    ];
  });
  mkdirSync(path);
  writeFileSync(join(path, 'Dockerfile'), `${lines.join('\n')}\nFROM scratch\nLABEL a=b\n`);
}

/** A stream of numbers in [0, 1) (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
