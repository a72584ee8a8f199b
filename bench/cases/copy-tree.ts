import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';
import { TREE, writeTree } from '../tree.ts';

/** COPY of 20,000 files and 200 MB: nothing changed, and one file changed. */
export const copyTree: Bench = {
  name: 'copy-tree',
  async run({ rounds, shared, slipway, docker }) {
    const context = join(shared, 'copy-tree');
    writeTree(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE_IMAGE}\nCOPY . /tree\n`);
    let edition = 0;
    const changeOne = () => writeFileSync(join(context, 'd7', 'f7'), `edition ${++edition}\n`);
    const candidates: Candidate[] = [];
    const add = (name: string, command: readonly string[], env?: NodeJS.ProcessEnv) => {
      const run = () =>
        runProgram([...command, '-t', 'slipway-bench/tree', context], env === undefined ? {} : { env });
      candidates.push(
        { name: `${name}, one changed`, prepare: changeOne, run },
        { name: `${name}, cached`, prepare: run, run },
      );
    };
    add('slipway build', [...slipway, 'build']);
    if (!('missing' in docker))
      add('docker build', [...docker.command, 'build', '--network=host'], docker.env);
    const times = await medians(candidates, Math.min(rounds, 3));
    return {
      title: `COPY of ${TREE.files} files`,
      values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' })),
      bounds: [
        ...bound(times, { of: 'slipway build, cached', to: 'docker build, cached' }, 1),
        ...bound(times, { of: 'slipway build, one changed', to: 'docker build, one changed' }, 1),
      ],
      missing: 'missing' in docker ? [{ name: 'docker build', reason: docker.missing }] : [],
    };
  },
};
