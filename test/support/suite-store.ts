import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { suiteFolder } from './folders.ts';
import { runSlipway, type SlipwayOptions, type SlipwayResult, slipway } from './slipway.ts';

/** The small image with a shell that suites build on. */
export const BASE_IMAGE = 'test/base:latest';

/** A store for one suite, with {@link BASE_IMAGE} in it, and the command line bound to it. */
export interface SuiteStore {
  readonly root: string;
  /** Runs a command to its end, whatever its exit code. */
  run(args: readonly string[], options?: Omit<SlipwayOptions, 'root'>): Promise<SlipwayResult>;
  /** Runs a command that has to succeed; gives its standard output. */
  ok(args: readonly string[], options?: Omit<SlipwayOptions, 'root'>): Promise<string>;
  /** A new folder of the suite with these files in it (paths may have folders); gives its path. */
  context(name: string, files: Readonly<Record<string, string | Buffer>>): string;
}

/** Gives the suite in whose body it is called a store in memory; removed when the suite ends. */
export function suiteStore(): SuiteStore {
  const folder = suiteFolder('big');
  const store: SuiteStore = {
    get root() {
      return join(folder.path, 'store');
    },
    run: (args, options) => runSlipway(args, { cwd: folder.path, ...options, root: store.root }),
    ok: (args, options) => slipway(args, { cwd: folder.path, ...options, root: store.root }),
    context(name, files) {
      const path = join(folder.path, name);
      mkdirSync(path);
      for (const [file, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, file)), { recursive: true });
        writeFileSync(join(path, file), content);
      }
      return path;
    },
  };
  beforeAll(async () => {
    const { tar } = await makeBaseRootfs();
    await store.ok(['import', '-', BASE_IMAGE], { input: tar });
  });
  return store;
}
