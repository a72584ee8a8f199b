import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './base/programs.ts';

/**
 * Other builders and engines to compare with. Two variables say where they are: PEERS_IN names a program that runs a
 * peer given as its arguments (`PEERS_IN=./in`, then `./in docker …`); PEERS names such a program, or a folder that
 * holds one called `in`. Without them the peers of PATH are taken.
 */
export type Peer = 'docker' | 'buildah' | 'podman' | 'skopeo' | 'umoci';

/** The words to put before a peer's arguments, and the environment to run them in; or the reason why it is missing. */
export type FoundPeer =
  | { command: [string, ...string[]]; env: NodeJS.ProcessEnv; version: string }
  | { missing: string };

/** What must answer before a peer counts as there: for docker the engine, not the client alone. */
const PROBES: Record<Peer, string[]> = {
  docker: ['version', '--format', '{{.Server.Version}}'],
  buildah: ['--version'],
  podman: ['--version'],
  skopeo: ['--version'],
  umoci: ['--version'],
};

const found = new Map<Peer, FoundPeer>();

/** Looks for a peer and asks it for its version, once per process. */
export function findPeer(peer: Peer): FoundPeer {
  const known = found.get(peer);
  if (known !== undefined) return known;
  const result = probe(peer);
  found.set(peer, result);
  return result;
}

function probe(peer: Peer): FoundPeer {
  const { prefix, env } = runner();
  const command: [string, ...string[]] | undefined =
    prefix !== undefined ? [prefix, peer] : findProgram(peer) === undefined ? undefined : [peer];
  if (command === undefined)
    return { missing: `${peer} is not installed, and PEERS does not say where one is` };
  const [file, ...words] = command;
  const answer = spawnSync(file, [...words, ...PROBES[peer]], {
    env,
    encoding: 'utf8',
    timeout: 20_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (answer.status === 0) return { command, env, version: answer.stdout.trim().split('\n')[0] ?? '' };
  const why = (answer.stderr ?? answer.error?.message ?? '').trim().split('\n').at(-1) ?? '';
  return { missing: `${peer} does not answer${why === '' ? '' : `: ${why}`}` };
}

function runner(): { prefix: string | undefined; env: NodeJS.ProcessEnv } {
  const { PEERS_IN, PEERS, ...rest } = process.env;
  if (PEERS_IN !== undefined && PEERS_IN !== '') return { prefix: PEERS_IN, env: process.env };
  if (PEERS === undefined || PEERS === '') return { prefix: undefined, env: process.env };
  const script = existsSync(PEERS) && statSync(PEERS).isDirectory() ? join(PEERS, 'in') : PEERS;
  // The script may read a variable of the same name for itself; ours would mislead it.
  return existsSync(script) ? { prefix: script, env: rest } : { prefix: undefined, env: process.env };
}
