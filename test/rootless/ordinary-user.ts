import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { memoryFolder } from '../../tools/memory-folder.ts';
import { ended, type SlipwayResult } from '../support/slipway.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** The image with a shell that the suites build on, as `tar` of the user's folder. */
export const BASE = 'test/base';

export interface RunAsOptions {
  env?: Record<string, string>;
  cwd?: string;
  input?: string | Buffer;
  /** Words before the command, run as root: to change what the user's process will be. */
  through?: readonly string[];
  /** Words that become somebody, in place of the user. */
  as?: readonly string[];
  /** Words before the command, run as the user. */
  inside?: readonly string[];
}

/** An account that a suite makes, with a copy of the built program that it may read. */
export interface OrdinaryUser {
  readonly name: string;
  readonly uid: number;
  /** A folder of the user's in memory; its home is in it, and the store in that. */
  readonly folder: string;
  readonly store: string;
  /** Starts the command line as the user and leaves the process to the caller. */
  start(args: readonly string[], options?: RunAsOptions): ReturnType<typeof spawn>;
  /** Runs the command line to its end, whatever its exit code. */
  run(args: readonly string[], options?: RunAsOptions): Promise<SlipwayResult>;
  /** Runs one that has to succeed; gives its standard output. */
  ok(args: readonly string[], options?: RunAsOptions): Promise<string>;
  /** A folder of these files, readable for the user. */
  context(name: string, files: Readonly<Record<string, string | Buffer>>): string;
}

/** Ranges `start:count` for /etc/subuid and /etc/subgid, far from those that useradd hands out. */
export type Ranges = readonly `${number}:${number}`[];

/**
 * Gives the suite in whose body it is called an ordinary user with these subordinate ids, as root can make one, and an
 * image {@link BASE} in its store. Account and folder are gone when the suite ends.
 */
export function ordinaryUser(ranges: Ranges): OrdinaryUser {
  const name = `slipway-t${process.pid % 100_000}${Math.floor(Math.random() * 1000)}`;
  let folder = '';
  let uid = 0;
  const home = (): string => join(folder, 'home');

  const user: OrdinaryUser = {
    name,
    get uid() {
      return uid;
    },
    get folder() {
      return folder;
    },
    get store() {
      return join(home(), '.local/share/slipway');
    },
    start(args, { env = {}, cwd, through = [], inside = [], as } = {}) {
      const asUser = as ?? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--init-groups'];
      const program = [process.execPath, join(folder, 'program/bin/slipway.js')];
      const [first, ...rest] = [...through, ...asUser, ...inside, ...program, ...args] as [
        string,
        ...string[],
      ];
      return spawn(first, rest, {
        cwd: cwd ?? folder,
        env: {
          PATH: '/usr/local/bin:/usr/bin:/bin',
          HOME: home(),
          NO_COLOR: '1',
          SLIPWAY_PULL: 'never',
          ...env,
        },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
    },
    run(args, options = {}) {
      const child = user.start(args, options);
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input ?? '');
      return ended(child);
    },
    async ok(args, options) {
      const { exitCode, stdout, stderr } = await user.run(args, options);
      if (exitCode === 0) return stdout;
      throw new Error(`slipway ${args.join(' ')}: exit code ${exitCode}\n${stderr}${stdout}`);
    },
    context(contextName, files) {
      const path = join(folder, contextName);
      for (const [file, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, file)), { recursive: true });
        writeFileSync(join(path, file), content);
      }
      return path;
    },
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(memoryFolder(), 'slipway-user-'));
    chmodSync(folder, 0o755);
    execFileSync('useradd', ['--home-dir', home(), '--no-create-home', '--shell', '/bin/sh', name]);
    uid = Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
    setSubordinateIds(name, ranges);
    mkdirSync(home(), { mode: 0o700 });
    chownSync(home(), uid, uid);
    copyProgram(join(folder, 'program'));
    const { tar } = await makeBaseRootfs();
    writeFileSync(join(folder, 'base.tar'), tar);
    await user.ok(['import', join(folder, 'base.tar'), BASE]);
  });
  afterAll(() => {
    execFileSync('userdel', [name], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  });
  return user;
}

/** Makes an empty folder that is the user's, and gives its path. */
export function ownFolder(user: OrdinaryUser, name: string): string {
  const path = join(user.folder, name);
  mkdirSync(path);
  chownSync(path, user.uid, user.uid);
  return path;
}

/** Replaces an account's lines of /etc/subuid and /etc/subgid. */
export function setSubordinateIds(name: string, ranges: Ranges): void {
  for (const [file, option] of [
    ['/etc/subuid', 'subuids'],
    ['/etc/subgid', 'subgids'],
  ] as const) {
    for (const [start, count] of linesOf(file, name)) {
      execFileSync('usermod', [`--del-${option}`, `${start}-${start + count - 1}`, name]);
    }
    for (const range of ranges) {
      const [start = 0, count = 0] = range.split(':').map(Number);
      execFileSync('usermod', [`--add-${option}`, `${start}-${start + count - 1}`, name]);
    }
  }
}

function linesOf(file: string, name: string): [start: number, count: number][] {
  const text = execFileSync('cat', [file], { encoding: 'utf8' });
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}:`))
    .map((line) => line.split(':').slice(1).map(Number) as [number, number]);
}

/** What is installed for users: the bundle, the launcher and the one package with machine code. */
function copyProgram(target: string): void {
  for (const path of ['bin', 'dist/cli', 'package.json', 'node_modules/koffi', 'node_modules/@koromix']) {
    cpSync(join(PROJECT, path), join(target, path), { recursive: true, dereference: true });
  }
}
