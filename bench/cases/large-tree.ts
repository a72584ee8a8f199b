import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { peakMemory } from '../process-memory.ts';
import { bound } from '../report.ts';
import { writeTree } from '../tree.ts';

/** Files of 1 kB: how many there are is the question. */
const BYTES = 1000;
const FOLDERS = [400, 4000];
const FILES = ['20,000 files', '200,000 files'];
const WORK = ['first', 'cached', 'one changed'] as const;

/** MiB that front and worker together may hold. */
const MEMORY_LIMIT = 600;

/** COPY of 20,000 and of 200,000 files: how time grows, and what the larger one takes of memory. */
export const largeTree: Bench = {
  name: 'large-tree',
  async run({ memory, slipway }) {
    const candidates: Candidate[] = [];
    const builds = new Map<string, { prepare: () => void; command: string[] }>();
    for (const [index, folders] of FOLDERS.entries()) {
      const context = join(memory, `large-tree-${folders}`);
      writeTree(context, { folders, bytesPerFile: BYTES });
      const dockerfile = `${context}.Dockerfile`;
      const command = [...slipway, 'build', '-f', dockerfile, context];
      let edition = 0;
      for (const work of WORK) {
        const prepare = (): void => {
          if (work === 'one changed') writeFileSync(join(context, 'd7', 'f7'), `edition ${++edition}`);
          if (work !== 'first') return;
          // Another destination makes a step of its own, and the index of the context is forgotten.
          writeFileSync(dockerfile, `FROM ${BASE_IMAGE}\nCOPY . /src-${++edition}\n`);
          rmSync(join(memory, 'store/contexts'), { recursive: true, force: true });
          mkdirSync(join(memory, 'store/contexts'));
        };
        const name = `${FILES[index]}, ${work}`;
        builds.set(name, { prepare, command });
        candidates.push({ name, prepare, run: () => runProgram(command) });
      }
    }
    const times = await medians(candidates, 1);
    const peaks = new Map<string, number>();
    for (const [name, { prepare, command }] of builds) {
      prepare();
      peaks.set(name, await peakMemory(command));
    }
    const grown = WORK.flatMap((work) =>
      bound(times, { of: `${FILES[1]}, ${work}`, to: `${FILES[0]}, ${work}` }, 12),
    );
    const memoryBounds = WORK.map((work) => {
      const name = `${FILES[1]}, ${work}`;
      return {
        text: `memory of ${name} / ${MEMORY_LIMIT} MiB`,
        ratio: peaks.get(name)! / MEMORY_LIMIT,
        limit: 1,
      };
    });
    return {
      title: 'COPY of 20,000 and of 200,000 files of 1 kB',
      values: [
        ...[...times].map(([name, value]) => ({ name, value, unit: 'ms' as const })),
        ...[...peaks].map(([name, value]) => ({ name: `memory, ${name}`, value, unit: 'MiB' as const })),
      ],
      bounds: [...grown, ...memoryBounds],
      missing: [],
    };
  },
};
