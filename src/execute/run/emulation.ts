import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { formatPlatform, localPlatform } from '../../image/platform.ts';
import type { Platform } from '../../image/types.ts';
import { BINFMT, hasEmulator, register, registration } from '../../runtime/emulation/binfmt.ts';
import { type Processor, processorOf, runsHere } from '../../runtime/emulation/processors.ts';
import { findProgram } from '../isolation/find-program.ts';
import type { WorkerHost } from '../worker/host.ts';

/** What a container of a foreign platform needs beside its files. */
export interface Emulation {
  /** A user namespace with all ids as they are, in which the emulator is registered; absent where the own one will do. */
  userNamespace?: string;
}

const emulations = new Map<string, Promise<Emulation>>();

/**
 * Sees to it that programs of a platform can be executed: as they are, by what the machine has registered, or by an
 * emulator of PATH that is registered for user namespaces of this worker alone (Linux 6.7).
 *
 * @throws SlipwayError `unsupported` EMULATOR_MISSING, which says how to get one
 */
export function emulationFor(host: WorkerHost, platform: Platform): Promise<Emulation> | undefined {
  if (runsHere(platform, localPlatform())) return undefined;
  const key = platform.architecture;
  const known = emulations.get(key);
  if (known !== undefined) return known;
  const made = emulate(host, platform);
  emulations.set(key, made);
  made.catch(() => emulations.delete(key));
  return made;
}

async function emulate(host: WorkerHost, platform: Platform): Promise<Emulation> {
  const processor = processorOf(platform);
  if (processor === undefined) throw missing(platform, 'none is known for that processor');
  if (hasEmulator(BINFMT, processor)) return {};
  const { qemu } = processor;
  const emulator =
    findProgram(`qemu-${qemu}-static`, process.env) ?? findProgram(`qemu-${qemu}`, process.env);
  if (emulator === undefined) throw missing(platform, `neither is qemu-${qemu}-static on PATH`);
  if (host.tier === 'none')
    throw missing(platform, 'and without namespaces none can be registered for this build');
  try {
    if (host.userNamespace) {
      registerHere(host, processor, emulator);
      return {};
    }
    return { userNamespace: await registerApart(host, processor, emulator) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw missing(
      platform,
      `and ${emulator} cannot be registered for this build alone, which takes Linux 6.7: ${why}`,
    );
  }
}

/** In the worker's own user namespace; its containers, also in namespaces below it, see what is registered there. */
function registerHere(host: WorkerHost, processor: Processor, emulator: string): void {
  const directory = join(host.active, 'binfmt');
  if (!existsSync(directory)) mkdirSync(directory);
  if (!existsSync(join(directory, 'register'))) host.sys.mount('binfmt_misc', directory, 'binfmt_misc', 0);
  if (!hasEmulator(directory, processor)) register(directory, processor, emulator);
}

/** Waits for its ids, mounts, registers, says so, and stays: the registration goes with the mount. */
const HOLD = `echo ready; read -r word; exec unshare --mount --propagation private sh -c '
mount -t binfmt_misc binfmt_misc "$1" && printf %s "$2" > "$1/register" && echo done && exec sleep infinity' sh "$@"`;

/**
 * In a user namespace of its own that maps every id to itself: real root has no namespace, and would register for the
 * whole machine. Gives its path.
 */
async function registerApart(host: WorkerHost, processor: Processor, emulator: string): Promise<string> {
  const directory = join(host.active, `binfmt-${processor.qemu}`);
  mkdirSync(directory, { recursive: true });
  const child = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'KILL',
      'unshare',
      '--user',
      'sh',
      '-c',
      HOLD,
      'sh',
      directory,
      registration(processor, emulator),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  child.unref();
  const said = listen(child);
  await said('ready');
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 0 4294967295\n');
  child.stdin!.write('\n');
  await said('done');
  for (const stream of [child.stdin, child.stdout, child.stderr])
    (stream as { unref?: () => void } | null)?.unref?.();
  return `/proc/${child.pid}/ns/user`;
}

/** Waits for lines of a process; rejects with what it said of its failure when it ends before. */
function listen(child: ChildProcess): (line: string) => Promise<void> {
  let output = '';
  let problem = '';
  child.stderr!.on('data', (data: Buffer) => (problem += data.toString()));
  return (line) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.split('\n').includes(line)) resolve();
      };
      child.stdout!.on('data', (data: Buffer) => {
        output += data.toString();
        look();
      });
      child.once('error', reject);
      child.once('close', () => reject(new Error(problem.trim() || 'the namespace for it cannot be made')));
      look();
    });
}

function missing(platform: Platform, why: string): SlipwayError {
  const name = formatPlatform(platform);
  return new SlipwayError(
    'unsupported',
    `this machine (${formatPlatform(localPlatform())}) has no emulator for ${name} registered, ${why}`,
    {
      code: 'EMULATOR_MISSING',
      hint: 'Install qemu-user-static (Debian, Ubuntu), or register one for the whole machine; a build may also keep RUN to stages FROM --platform=$BUILDPLATFORM.',
    },
  );
}
