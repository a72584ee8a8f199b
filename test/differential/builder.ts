import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ended } from '../support/slipway.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** What is shipped when it is built, which starts in a third of the time; else the sources. */
const PROGRAM = existsSync(join(PROJECT, 'dist/cli/main.js'))
  ? join(PROJECT, 'bin/slipway.js')
  : join(PROJECT, 'src/cli/main.ts');

/**
 * The variables that run the same suite in another isolation tier, all optional:
 *
 * - SLIPWAY_DIFFERENTIAL_PREFIX: words put before the command, as in `setpriv --reuid=1500 --regid=1500 --clear-groups`.
 * - SLIPWAY_DIFFERENTIAL_OWNER: `uid:gid` that this user has; store and contexts are given to it.
 * - SLIPWAY_DIFFERENTIAL_IDS=single: leaves out the cases that say why they need more ids than one.
 * - SLIPWAY_DIFFERENTIAL_FLAGS: words added to every build, as in `--isolation=none`.
 */
const words = (name: string): string[] => (process.env[name] ?? '').split(' ').filter((word) => word !== '');

/** Builds with the command line, in one store. */
export interface Builder {
  /** Who has to own the contexts, which changes no result; the user of the tests when undefined. */
  owner: { uid: number; gid: number } | undefined;
  /** Puts a root file system's archive under a name. */
  import(name: string, tar: Buffer): Promise<void>;
  /** The docker archive of an image. */
  save(name: string): Promise<Buffer>;
  /** One build: the image's docker archive, or what the command said when it failed. */
  build(
    context: string,
    dockerfile: string,
    flags: string[],
  ): Promise<{ archive: Buffer } | { error: string }>;
}

/** A builder whose store is in `folder`, an absolute path. */
export function makeBuilder(folder: string): Builder {
  const root = join(folder, 'store');
  const outputs = join(folder, 'outputs');
  mkdirSync(outputs);
  const owner = ownerFromEnv();
  if (owner !== undefined) for (const path of [folder, outputs]) chownSync(path, owner.uid, owner.gid);
  const run = async (args: string[], input?: Buffer) => ended(start(args, { root, input }));
  const ok = async (args: string[], input?: Buffer): Promise<void> => {
    const { exitCode, stderr } = await run(args, input);
    if (exitCode !== 0) throw new Error(`slipway ${args.join(' ')}: ${stderr}`);
  };
  let outputsMade = 0;
  const output = (): string => join(outputs, `${outputsMade++}.tar`);
  return {
    owner,
    import: (name, tar) => ok(['import', '-', name], tar),
    save: async (name) => {
      const path = output();
      await ok(['save', '-o', path, name]);
      return take(path);
    },
    build: async (context, dockerfile, flags) => {
      const path = output();
      const { exitCode, stderr } = await run([
        'build',
        ...words('SLIPWAY_DIFFERENTIAL_FLAGS'),
        ...['-f', dockerfile, '--progress=plain', '-o', `type=docker,dest=${path}`],
        ...flags,
        context,
      ]);
      return exitCode === 0 ? { archive: take(path) } : { error: stderr };
    },
  };
}

function start(args: string[], options: { root: string; input: Buffer | undefined }): ChildProcess {
  const [program, ...rest] = [
    ...words('SLIPWAY_DIFFERENTIAL_PREFIX'),
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    PROGRAM,
    ...args,
  ];
  const child = spawn(program!, rest, {
    cwd: '/',
    env: { ...process.env, SLIPWAY_ROOT: options.root, NO_COLOR: '1', SOURCE_DATE_EPOCH: undefined },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin!.on('error', () => {});
  child.stdin!.end(options.input ?? '');
  return child;
}

function take(path: string): Buffer {
  const bytes = readFileSync(path);
  rmSync(path);
  return bytes;
}

/** Who builds, when that is not the user of the tests. */
function ownerFromEnv(): { uid: number; gid: number } | undefined {
  const [uid, gid] = (process.env.SLIPWAY_DIFFERENTIAL_OWNER ?? '').split(':').map(Number);
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}
