import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { memoryFolder } from '../../tools/memory-folder.ts';

/** A folder that exists while the tests of a suite run. */
export interface SuiteFolder {
  /** Absolute path; only to be read inside hooks and tests. */
  readonly path: string;
}

/**
 * Gives the suite in whose body it is called an empty folder, removed when the suite ends. `big` puts it into memory
 * where that can be had: for stores and for trees of many files. `shared` puts it under the temporary folder, which
 * is what peers that live in a container or chroot are given.
 */
export function suiteFolder(kind: 'big' | 'shared'): SuiteFolder {
  let path: string | undefined;
  beforeAll(() => {
    path = mkdtempSync(join(kind === 'big' ? memoryFolder() : tmpdir(), 'slipway-test-'));
  });
  afterAll(() => {
    if (path === undefined) return;
    removeFolder(path);
  });
  return {
    get path() {
      if (path === undefined) throw new Error('the folder is there only while the tests run');
      return path;
    },
  };
}

/** An ordinary user's store has files of subordinate ids and folders without rights, which only root of a namespace removes. */
function removeFolder(path: string): void {
  if (process.getuid?.() === 0) rmSync(path, { recursive: true, force: true });
  else {
    const remove = ['rm', '-rf', '--', path];
    const inNamespace = spawnSync('unshare', ['--user', '--map-root-user', '--map-auto', ...remove]);
    if (inNamespace.status !== 0) execFileSync('unshare', ['--user', '--map-root-user', ...remove]);
  }
}
