import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { SlipwayError } from '../../errors/index.ts';
import type { Isolation, Mapping } from '../isolation.ts';
import { type IdRange, mapLines } from './id-map.ts';

/** File descriptor over which a supervisor learns that the front has died or wants the end. */
const LIFE_FD = 4;

/**
 * Without a pid namespace nobody kills what a worker leaves behind when it dies: this waits for the worker, kills it
 * when the front is gone, and then all processes that carry the mark of its containers (see src/runtime/chroot).
 */
const SUPERVISE = `mark=$1; shift; exec 5<&0
"$@" <&5 4>&- 5<&- &
worker=$!
(read -r word <&${LIFE_FD}; kill -9 $worker) 3>&- 5<&- >/dev/null 2>&1 &
watch=$!
exec 3>&- 5<&- >/dev/null 2>&1
wait $worker; code=$?
kill -9 $watch 2>/dev/null
for round in 1 2 3 4 5 6 7 8 9 10; do
  left=$(grep -lE "^Max file locks +[0-9]+ +$mark " /proc/[0-9]*/limits 2>/dev/null)
  [ -n "$left" ] || break
  for file in $left; do pid=\${file#/proc/}; kill -9 \${pid%/limits}; done 2>/dev/null
done
exit $code`;

/** File descriptor over which a process in a fresh user namespace waits for its map. */
const MAP_FD = 4;

/** The front's death kills what is started so, whatever it is busy with. */
const TIED = ['setpriv', '--pdeathsig', 'KILL'];
const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];

/**
 * Says that it is there, waits for the word that its ids are mapped, and becomes the command: a program that is
 * executed by the namespace's root has all its capabilities. End of file instead of the word means that the front
 * died.
 */
const WAIT = `echo >&${MAP_FD} && read -r word <&${MAP_FD} && exec "$@" ${MAP_FD}>&-`;

export interface StartOptions {
  /** Program and arguments. */
  command: readonly string[];
  /** Of descriptors 0 to 3. */
  stdio: Extract<StdioOptions, readonly unknown[]>;
  env: NodeJS.ProcessEnv;
  /** See `WorkerInit.mark`. */
  mark: number;
}

/** A command that was started. */
export interface IsolatedProcess {
  child: ChildProcess;
  /** Settles when its ids are mapped; rejects when they cannot be. */
  mapped: Promise<void>;
  /** Kills it and all that it has started. */
  kill(): void;
}

/**
 * Starts a command in new namespaces: mount and pid for `root`, user too for `ids` and `single`, none for `none`.
 */
export function startIsolated(
  isolation: Isolation,
  { command, stdio, env, mark }: StartOptions,
): IsolatedProcess {
  const { mapping, tier } = isolation;
  const [program, ...args] = commandLine(isolation, command, mark) as [string, ...string[]];
  const waits = mapping !== undefined && mapping.by !== 'unshare';
  const supervised = tier === 'none';
  const child = spawn(program, args, {
    stdio: waits || supervised ? [...stdio, 'pipe'] : stdio,
    env,
    // A session of its own: Ctrl-C in the terminal reaches the front alone, which then decides.
    detached: true,
  });
  const kill = (): void => {
    if (supervised) (child.stdio[LIFE_FD] as Duplex).destroy();
    else child.kill('SIGKILL');
  };
  return { child, kill, mapped: waits ? giveIds(child, mapping) : Promise.resolve() };
}

function commandLine({ tier, mapping }: Isolation, command: readonly string[], mark: number): string[] {
  const inside = [...TIED, 'unshare', ...NAMESPACES, ...command];
  if (tier === 'none') return ['sh', '-c', SUPERVISE, 'sh', String(mark), ...TIED, ...command];
  if (mapping === undefined) return inside;
  if (mapping.by === 'unshare') {
    return [...TIED, 'unshare', '--user', '--map-root-user', ...NAMESPACES, ...command];
  }
  return [...TIED, 'unshare', '--user', 'sh', '-c', WAIT, 'sh', ...inside];
}

/** Waits until the process is in its namespace, maps ids into it and lets it go on. */
async function giveIds(child: ChildProcess, mapping: Exclude<Mapping, { by: 'unshare' }>): Promise<void> {
  const pipe = child.stdio[MAP_FD] as Duplex;
  // It may be gone before it is told anything.
  pipe.on('error', () => {});
  const there = await new Promise<boolean>((resolve) => {
    pipe.once('data', () => resolve(true));
    pipe.once('close', () => resolve(false));
    child.once('error', () => resolve(false));
  });
  // What went wrong stands in its standard error, and in its end.
  if (!there || child.pid === undefined) return;
  const { uid, gid } = mapping.maps;
  if (mapping.by === 'self') {
    writeFileSync(`/proc/${child.pid}/uid_map`, `${mapLines(uid).join('\n')}\n`);
    writeFileSync(`/proc/${child.pid}/gid_map`, `${mapLines(gid).join('\n')}\n`);
  } else {
    await Promise.all([
      callMapper(mapping.newuidmap, child.pid, uid),
      callMapper(mapping.newgidmap, child.pid, gid),
    ]);
  }
  pipe.end('\n');
}

function callMapper(program: string, pid: number, ranges: readonly IdRange[]): Promise<void> {
  const args = [String(pid), ...mapLines(ranges).flatMap((line) => line.split(' '))];
  return new Promise((resolve, reject) => {
    execFile(program, args, (error, _stdout, stderr) => {
      if (!error) return resolve();
      reject(
        new SlipwayError('unsupported', `${program} does not map the subordinate ids: ${stderr.trim()}`, {
          code: 'ID_MAP_REFUSED',
          hint: 'The program must be setuid root or have file capabilities (package uidmap), and /etc/subuid and /etc/subgid must name ids that this machine may use.',
          cause: error,
        }),
      );
    });
  });
}
