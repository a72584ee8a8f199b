import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Builder, makeBuilder, type Tier } from './builder.ts';
import type { LibraryAnswer, LibraryRequest } from './library-process.ts';

const PROJECT = join(import.meta.dirname, '../..');
const BUILT = join(PROJECT, 'dist/lib/src/index.js');

/** The command that builds what it is told, see library-process.ts: the library as it is shipped, else its sources. */
export const LIBRARY_COMMAND: readonly string[] = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  join(import.meta.dirname, 'library-process.ts'),
  existsSync(BUILT) ? BUILT : join(PROJECT, 'src/index.ts'),
];

/** A builder with one front for all its builds; the command line imports and saves. */
export interface LibraryBuilder extends Builder {
  close(): Promise<void>;
}

/** `start` starts `LIBRARY_COMMAND`; for tiers whose user is root. */
export function makeLibraryBuilder(
  folder: string,
  { tier, start }: { tier: Tier; start: (root: string) => ChildProcess },
): LibraryBuilder {
  const root = join(folder, 'store');
  const archives = join(folder, 'archives');
  mkdirSync(archives);
  const commands = makeBuilder(folder, tier);
  const child = start(root);
  const waiting = new Map<
    number,
    { resolve: (error: string | undefined) => void; reject: (why: Error) => void }
  >();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const { id, error } = JSON.parse(line) as LibraryAnswer;
    waiting.get(id)!.resolve(error);
    waiting.delete(id);
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the library's process ended with ${code}`));
  });
  let count = 0;
  const ask = (options: LibraryRequest['options']): Promise<string | undefined> => {
    const id = count++;
    const request: LibraryRequest = { id, options: { root, ...options } };
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  };
  return {
    import: commands.import,
    save: commands.save,
    build: async (context, dockerfile, { buildArgs = {}, labels = {}, target, tag }) => {
      const dest = join(archives, `${count}.tar`);
      const error = await ask({
        context,
        file: dockerfile,
        buildArgs,
        labels,
        target,
        tags: tag === undefined ? [] : [tag],
        outputs: [{ type: 'docker', dest }],
      });
      if (error !== undefined) return { error };
      const archive = readFileSync(dest);
      rmSync(dest);
      return { archive };
    },
    close: async () => {
      child.stdin!.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
