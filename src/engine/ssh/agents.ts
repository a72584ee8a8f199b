import { type Stats, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import type { RunOperation } from '../../plan/types.ts';
import type { KeyAgent } from './key-agent.ts';
import { AGENT_FAILURE, isForwarded, MAX_AGENT_MESSAGE } from './messages.ts';

/** Paths behind an id of `--ssh`: the socket of an agent, or private keys, which an agent of the build's own holds. */
export type SshSource = readonly string[];

export interface SshOptions {
  env: NodeJS.ProcessEnv;
  /** What relative paths are relative to. */
  cwd: string;
}

/**
 * The ssh agents of a build. Nothing connects to them before a RUN mounts one; private keys stay in the agents, whose
 * other abilities (adding, removing and locking keys, extensions) are not passed on.
 */
export class SshAgents implements Disposable {
  readonly #sources: ReadonlyMap<string, SshSource>;
  readonly #options: SshOptions;
  readonly #keyAgents = new Map<string, Promise<KeyAgent>>();

  private constructor(sources: ReadonlyMap<string, SshSource>, options: SshOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /**
   * Checks that every socket and key file is there. Throws `not-found` (`SSH_FILE_MISSING`) and `invalid`
   * (`SSH_SOURCE_INVALID`) with buildx's words.
   */
  static open(sources: Readonly<Record<string, SshSource>>, options: SshOptions): SshAgents {
    for (const source of Object.values(sources)) checkSource(source, options.cwd);
    return new SshAgents(new Map(Object.entries(sources)), options);
  }

  /**
   * Makes the agents ready that a RUN mounts and gives the ids of those that there are. Keys are loaded only now, which
   * throws what `startKeyAgent` throws.
   */
  async of(operation: RunOperation): Promise<string[]> {
    const mounted = new Set(operation.mounts.flatMap((mount) => (mount.type === 'ssh' ? [mount.id] : [])));
    const ids = [...mounted].filter((id) => this.#sources.has(id));
    await Promise.all(ids.map((id) => this.socketOf(id)));
    return ids;
  }

  /** One message to the agent and its answer, both without their length. Never fails: an agent says no instead. */
  async request(id: string, message: Uint8Array): Promise<Uint8Array> {
    if (!isForwarded(message)) return AGENT_FAILURE;
    try {
      const socket = await this.socketOf(id);
      return socket === undefined ? AGENT_FAILURE : await exchange(socket, message);
    } catch {
      return AGENT_FAILURE;
    }
  }

  /** Ends the agents that hold keys. */
  [Symbol.dispose](): void {
    for (const agent of this.#keyAgents.values())
      void agent.then(
        (started) => started.end(),
        () => {},
      );
  }

  /** Path of the socket behind an id, for programs that this process starts; undefined when it was not given. */
  async socketOf(id: string): Promise<string | undefined> {
    const source = this.#sources.get(id);
    if (source === undefined) return undefined;
    const { cwd, env } = this.#options;
    const paths = source.map((path) => resolve(cwd, path));
    const [first] = paths;
    if (first !== undefined && statSync(first).isSocket()) return first;
    let agent = this.#keyAgents.get(id);
    if (agent === undefined) {
      agent = import('./key-agent.ts').then(({ startKeyAgent }) => startKeyAgent(paths, env));
      this.#keyAgents.set(id, agent);
    }
    return (await agent).socket;
  }
}

function checkSource(source: SshSource, cwd: string): void {
  const found = source.map((path) => ({ path, stat: statOf(path, cwd) }));
  const sockets = found.filter(({ stat }) => stat.isSocket());
  if (sockets.length > 0 && found.length > 1) {
    const allSockets = sockets.length === found.length;
    throw invalid(
      allSockets ? 'only single socket allowed' : 'invalid combination of keys and sockets',
      'Give either one socket of an agent or key files for an id.',
    );
  }
  const other = found.find(({ stat }) => !stat.isSocket() && !stat.isFile());
  if (other) throw invalid(`failed to read ${other.path}: it is neither a socket nor a file`);
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('invalid', message, { code: 'SSH_SOURCE_INVALID', hint });
}

function statOf(path: string, cwd: string): Stats {
  try {
    return statSync(resolve(cwd, path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file or directory' : message;
    throw new SlipwayError('not-found', `stat ${path}: ${why}`, {
      code: 'SSH_FILE_MISSING',
      hint: 'It was named by --ssh, or by SSH_AUTH_SOCK.',
      cause,
    });
  }
}

/** A connection for one message: what a step does cannot change what the next message means. */
function exchange(path: string, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    let answer = Buffer.alloc(0);
    const fail = (): void => {
      socket.destroy();
      reject(new Error('the agent gave no answer'));
    };
    socket.on('error', fail);
    socket.on('end', fail);
    socket.on('data', (data: Buffer) => {
      answer = Buffer.concat([answer, data]);
      if (answer.length < 4) return;
      const length = answer.readUInt32BE(0);
      if (length > MAX_AGENT_MESSAGE) return fail();
      if (answer.length < 4 + length) return;
      socket.destroy();
      resolve(answer.subarray(4, 4 + length));
    });
    const head = Buffer.alloc(4);
    head.writeUInt32BE(message.length);
    socket.write(Buffer.concat([head, message]));
  });
}
