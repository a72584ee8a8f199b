import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import type { RunMount } from '../../plan/types.ts';
import { bytesOf } from '../../sys/bytes.ts';
import { O_PATH } from '../../sys/constants.ts';
import { MetadataKeeper } from '../step/metadata-keeper.ts';
import type { WorkerHost } from '../worker/host.ts';

/** Hands one message of the ssh-agent protocol to the agent of an id, and gives its answer; both without lengths. */
export type AskAgent = (id: string, message: Uint8Array) => Promise<Uint8Array>;

export interface SshSocketRequest {
  host: WorkerHost;
  mount: Extract<RunMount, { type: 'ssh' }>;
  /** A directory to make for the socket; no other step sees it. */
  directory: string;
  ask: AskAgent;
}

/** OpenSSH's limit for a message. */
const MAX_MESSAGE = 256 * 1024;

/** At once, of one step. */
const MAX_CONNECTIONS = 64;

/** A socket at which an agent seems to listen; its `close` ends all connections. */
export interface SshSocket {
  path: string;
  close(): void;
}

/** Listens for one step; messages go to the front, where the agents are, one at a time for each connection. */
export async function openSshSocket(request: SshSocketRequest): Promise<SshSocket> {
  const { host, mount, directory, ask } = request;
  mkdirSync(directory, { mode: 0o700 });
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveAgent(socket, (message) => ask(mount.id, message));
  });
  server.maxConnections = MAX_CONNECTIONS;
  // The path of a socket may have 107 bytes, that of a store more.
  const fd = openSync(directory, O_PATH | constants.O_DIRECTORY);
  try {
    await listen(server, `/proc/self/fd/${fd}/agent`);
  } finally {
    closeSync(fd);
  }
  const path = join(directory, 'agent');
  // With a single id everything belongs to root, who runs the step.
  const keeper = new MetadataKeeper(host.sys);
  keeper.setOwner(bytesOf(path), mount);
  keeper.setMode(bytesOf(path), mount.mode & 0o777);
  return {
    path,
    close: () => {
      server.close();
      for (const socket of connections) socket.destroy();
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new SlipwayError('unsupported', `no socket can be made for an ssh agent: ${cause.message}`, {
          code: 'SSH_SOCKET',
          cause,
        }),
      );
    });
    server.listen(path, resolve);
  });
}

/** Cuts what a client sends into messages: u32 length, big endian, and as many bytes. */
function serveAgent(socket: Socket, answer: (message: Uint8Array) => Promise<Uint8Array>): void {
  let pending = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (data: Buffer) => {
    pending = Buffer.concat([pending, data]);
    if (pending.length < 4) return;
    const length = pending.readUInt32BE(0);
    if (length === 0 || length > MAX_MESSAGE) {
      socket.destroy();
      return;
    }
    if (pending.length < 4 + length) return;
    const message = pending.subarray(4, 4 + length);
    const rest = pending.subarray(4 + length);
    pending = Buffer.alloc(0);
    socket.pause();
    answer(message).then(
      (reply) => {
        const head = Buffer.alloc(4);
        head.writeUInt32BE(reply.length);
        socket.write(Buffer.concat([head, reply]));
        if (rest.length > 0) socket.unshift(rest);
        socket.resume();
      },
      () => socket.destroy(),
    );
  });
}
