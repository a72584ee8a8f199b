import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ended } from '../support/slipway.ts';
import { buildFlags, type Case } from './cases.ts';

const PROJECT = join(import.meta.dirname, '../..');

/** What is shipped when it is built, which starts in a third of the time; else the sources. */
const PROGRAM = existsSync(join(PROJECT, 'dist/cli/main.js'))
  ? join(PROJECT, 'bin/slipway.js')
  : join(PROJECT, 'src/cli/main.ts');

/** Who builds, and how far isolated. */
export interface Tier {
  /** Owner of the contexts, which changes no result; the user of the tests when undefined. */
  owner: { uid: number; gid: number } | undefined;
  /** Starts the command line on the store `root`; its streams are pipes. */
  start(args: readonly string[], root: string): ChildProcess;
}

/** The user of the tests. */
export const ownTier: Tier = {
  owner: undefined,
  start: (args, root) =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PROGRAM, ...args], {
      cwd: '/',
      env: { ...process.env, SLIPWAY_ROOT: root, NO_COLOR: '1', SOURCE_DATE_EPOCH: undefined },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
};

/** Builds with the command line, in one store. */
export interface Builder {
  /** Puts a root file system's archive under a name. */
  import(name: string, tar: Buffer): Promise<void>;
  /** The docker archive of an image. */
  save(name: string): Promise<Buffer>;
  /** One build: the image's docker archive, or what was said when it failed. */
  build(
    context: string,
    dockerfile: string,
    request: BuildRequest,
  ): Promise<{ archive: Buffer } | { error: string }>;
}

/** What a case asks for, and a name for the image. */
export interface BuildRequest extends Pick<Case, 'buildArgs' | 'labels' | 'target'> {
  tag?: string;
}

/** A builder whose store is in `folder`, an absolute path. */
export function makeBuilder(folder: string, tier: Tier): Builder {
  const root = join(folder, 'store');
  const outputs = join(folder, 'outputs');
  mkdirSync(outputs);
  const { owner } = tier;
  if (owner !== undefined) for (const path of [folder, outputs]) chownSync(path, owner.uid, owner.gid);
  const run = async (args: string[], input?: Buffer) => {
    const child = tier.start(args, root);
    child.stdin!.on('error', () => {});
    child.stdin!.end(input ?? '');
    return ended(child);
  };
  const ok = async (args: string[], input?: Buffer): Promise<void> => {
    const { exitCode, stderr } = await run(args, input);
    if (exitCode !== 0) throw new Error(`slipway ${args.join(' ')}: ${stderr}`);
  };
  let outputsMade = 0;
  const output = (): string => join(outputs, `${outputsMade++}.tar`);
  return {
    import: (name, tar) => ok(['import', '-', name], tar),
    save: async (name) => {
      const path = output();
      await ok(['save', '-o', path, name]);
      return take(path);
    },
    build: async (context, dockerfile, request) => {
      const tags = request.tag === undefined ? [] : ['-t', request.tag];
      const path = output();
      const { exitCode, stderr } = await run([
        'build',
        ...['-f', dockerfile, '--progress=plain', '-o', `type=docker,dest=${path}`],
        ...buildFlags(request),
        ...tags,
        context,
      ]);
      return exitCode === 0 ? { archive: take(path) } : { error: stderr };
    },
  };
}

function take(path: string): Buffer {
  const bytes = readFileSync(path);
  rmSync(path);
  return bytes;
}
