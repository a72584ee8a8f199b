import { randomUUID } from 'node:crypto';
import { lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestSelection } from '../../src/cache/content-digest.ts';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import { selectSources } from '../../src/context/select.ts';
import { BASE_IMAGE, type Bench, type BenchEnvironment } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';
import { TREE, writeTree } from '../tree.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE}\nCOPY . /src\n`;

/** COPY of 20,000 files and 200 MB: nothing changed, one file changed, and the first build. */
export const copyTree: Bench = {
  name: 'copy-tree',
  async run({ rounds, shared, memory, slipway, docker }) {
    const context = join(shared, 'copy-tree');
    writeTree(context);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    // Beside the tree: what copies or packs it must not meet it.
    const git = { cwd: context, env: { ...process.env, GIT_DIR: `${context}.git`, GIT_WORK_TREE: context } };
    runProgram(['sh', '-c', 'git init -q && git add -A'], git);
    // Never a content that was there before: an engine keeps the results of earlier runs of this bench, too.
    const changeOne = () => writeFileSync(join(context, 'd7', 'f7'), randomUUID());
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
    candidates.push(
      { name: 'git status', run: () => runProgram(['git', 'status', '--porcelain'], git) },
      { name: 'lstat of every name', run: () => walk(context) },
      { name: 'walk and hash', run: () => hashContext(context) },
      {
        name: 'tar | sha256sum',
        run: () => runProgram(['sh', '-c', 'tar -cf - . | sha256sum'], { cwd: context }),
      },
      ...firstBuild({ context, memory, slipway }),
    );
    const times = await medians(candidates, Math.min(rounds, 3));
    return {
      title: `COPY of ${TREE.files} files`,
      values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' })),
      bounds: [
        ...bound(times, { of: 'slipway build, cached', to: 'docker build, cached' }, 1 / 2.5),
        ...bound(times, { of: 'slipway build, one changed', to: 'docker build, one changed' }, 1 / 5),
        ...bound(times, { of: 'walk and hash', to: 'tar | sha256sum' }, 1.5),
        ...bound(times, { of: 'slipway build, first', to: 'cp -a' }, 2),
      ],
      missing: 'missing' in docker ? [{ name: 'docker build', reason: docker.missing }] : [],
    };
  },
};

/**
 * The first build of a context, in a store that has nothing but the base image, and a plain copy onto the same file
 * system: both get the memory that their last round has given back.
 */
function firstBuild({
  context,
  memory,
  slipway,
}: Pick<BenchEnvironment, 'memory' | 'slipway'> & { context: string }): Candidate[] {
  const copy = join(memory, 'copy');
  const base = join(memory, 'base.tar');
  const store = join(memory, 'first-store');
  const dockerfile = join(memory, 'first.Dockerfile');
  writeFileSync(dockerfile, DOCKERFILE);
  runProgram([...slipway, 'save', '-o', base, BASE_IMAGE]);
  return [
    {
      name: 'slipway build, first',
      prepare: () => {
        rmSync(store, { recursive: true, force: true });
        runProgram([...slipway, '--root', store, 'load', '-q', '-i', base]);
      },
      run: () => runProgram([...slipway, '--root', store, 'build', '-f', dockerfile, context]),
    },
    {
      name: 'cp -a',
      prepare: () => rmSync(copy, { recursive: true, force: true }),
      run: () => runProgram(['cp', '-a', context, copy]),
    },
  ];
}

function walk(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    lstatSync(path, { bigint: true });
    if (entry.isDirectory()) walk(path);
  }
}

/** What a build does with a context that it sees for the first time, but for the copy. */
async function hashContext(root: string): Promise<void> {
  const context = openDirectoryContext({ root });
  const selection = await selectSources(context.tree, {
    sources: ['.'],
    where: 'the build context',
    onNewFiles: () => {},
  });
  await digestSelection(context.tree, selection);
  context.close();
}
