import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/base/programs.ts';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound, type Report } from '../report.ts';

const STEPS = 20;
const RUNTIMES = ['embedded', 'crun', 'runc'] as const;

/** What a RUN costs that does nothing: the time of twenty without the cache, less that of a build with one. */
export const runSteps: Bench = {
  name: 'run-steps',
  async run({ rounds, shared, slipway, docker, buildah }) {
    const contexts = { many: join(shared, 'run-many'), one: join(shared, 'run-one') };
    for (const context of Object.values(contexts)) mkdirSync(context);
    // Both make layers, so that the worker's start is not counted among the steps.
    const head = `FROM ${BASE_IMAGE}\nWORKDIR /work\n`;
    writeFileSync(join(contexts.one, 'Dockerfile'), `${head}RUN true\n`);
    writeFileSync(join(contexts.many, 'Dockerfile'), head + 'RUN true\n'.repeat(STEPS + 1));

    const builders = new Map<string, (context: string) => void>();
    const missing: Report['missing'] = [];
    for (const runtime of RUNTIMES) {
      const name = `slipway, ${runtime}`;
      if (runtime !== 'embedded' && findProgram(runtime) === undefined) {
        missing.push({ name, reason: `${runtime} is not installed` });
        continue;
      }
      builders.set(name, (context) =>
        runProgram([
          ...slipway,
          'build',
          '--no-cache',
          `--runtime=${runtime}`,
          '-t',
          'slipway-bench/run',
          context,
        ]),
      );
    }
    if ('missing' in buildah) missing.push({ name: 'buildah build', reason: buildah.missing });
    else {
      const words = [...buildah.command, 'build', '--no-cache', '--layers', '-t', 'slipway-bench/run'];
      builders.set('buildah build', (context) => runProgram([...words, context], { env: buildah.env }));
    }
    if ('missing' in docker) missing.push({ name: 'docker build', reason: docker.missing });
    else {
      const words = [...docker.command, 'build', '--no-cache', '--network=host', '-t', 'slipway-bench/run'];
      builders.set('docker build', (context) => runProgram([...words, context], { env: docker.env }));
    }

    const names = [...builders].filter(([name, build]) => works(name, build)).map(([name]) => name);
    const candidates = names.flatMap((name): Candidate[] => [
      { name: `${name}, many`, run: () => builders.get(name)!(contexts.many) },
      { name: `${name}, one`, run: () => builders.get(name)!(contexts.one) },
    ]);
    const times = await medians(candidates, Math.min(rounds, 5));
    const perStep = new Map(
      names.map((name) => [name, (times.get(`${name}, many`)! - times.get(`${name}, one`)!) / STEPS]),
    );
    return {
      title: `RUN true, no cache: the cost of one of ${STEPS}`,
      values: [...perStep].map(([name, value]) => ({ name, value, unit: 'ms per step' })),
      bounds: [
        ...bound(perStep, { of: 'slipway, embedded', to: 'docker build' }, 1 / 3),
        ...bound(perStep, { of: 'slipway, runc', to: 'docker build' }, 2 / 3),
      ],
      missing,
    };

    /** A runtime that refuses this machine is reported as missing, not measured. */
    function works(name: string, build: (context: string) => void): boolean {
      try {
        build(contexts.one);
        return true;
      } catch (error) {
        missing.push({ name, reason: reasonOf(error as Error) });
        return false;
      }
    }
  },
};

/** The line of a failed build's output that says why. */
function reasonOf({ message }: Error): string {
  const lines = message.trim().split('\n');
  return (
    lines.findLast((line) => line.startsWith('ERROR: '))?.replace(/^.*failed to solve: /, '') ?? lines.at(-1)!
  );
}
