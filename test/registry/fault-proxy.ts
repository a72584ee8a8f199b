import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PASSWORD, USER } from './users.ts';

/** What goes wrong with one request. */
export type Fault =
  | 'none'
  /** The connection ends before an answer, in the middle of a body, or the body ends early. */
  | 'cut'
  | 'cut-body'
  | 'truncate'
  | 'slow'
  /** One byte of the body is another. */
  | 'spoil'
  | 'error'
  | 'busy'
  /** All tokens that were given out are good no more. */
  | 'expire'
  /** The content is had from another host. */
  | 'redirect'
  /** As a server before the registry says it that limits the size of requests. */
  | 'too-large'
  /** Forbidden. */
  | 'denied'
  /** As one that takes no body of unknown length; others pass. */
  | 'length-required'
  /** What is sent to the registry ends in its middle, with the connection. */
  | 'cut-upload'
  /** One byte of what is sent to the registry is another. */
  | 'spoil-upload';

export interface FaultProxy {
  /** `127.0.0.1:PORT`, the beginning of images' names. */
  readonly host: string;
  /** Says what happens to a request to the registry. */
  fault: (request: { method: string; url: string }) => Fault;
  /** What a request waits for before it is answered. */
  gate: (request: { method: string; url: string }) => Promise<void> | undefined;
  /** Ask for a token, which is given for the tests' user and password. Default false. */
  auth: boolean;
  /** Requests as they came, without those for tokens. */
  readonly log: string[];
  /** Bytes of blobs that were sent on. */
  blobBytes: number;
  /** Bytes of blobs that were taken. */
  uploadBytes: number;
  /** Credentials that came to the host to which blobs are redirected. */
  readonly leaked: string[];
  close(): Promise<void>;
}

/** Stands before a registry without authentication and spoils what it is told to. */
export async function startFaultProxy(target: () => string): Promise<FaultProxy> {
  const elsewhere = createServer((incoming, outgoing) => {
    for (const name of ['authorization', 'cookie']) {
      const value = incoming.headers[name];
      if (value !== undefined) state.leaked.push(`${name}: ${value}`);
    }
    forward(incoming, outgoing, 'none');
  });
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  await Promise.all([listen(server), listen(elsewhere)]);
  let generation = 0;
  const state: FaultProxy = {
    host: `127.0.0.1:${portOf(server)}`,
    fault: () => 'none',
    gate: () => undefined,
    auth: false,
    log: [],
    blobBytes: 0,
    uploadBytes: 0,
    leaked: [],
    async close() {
      await Promise.all([end(server), end(elsewhere)]);
    },
  };

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming;
    if (url.startsWith('/token')) return giveToken(incoming, outgoing);
    state.log.push(`${method} ${url}`);
    await state.gate({ method, url });
    const fault = state.fault({ method, url });
    if (fault === 'expire') generation++;
    if (state.auth && incoming.headers.authorization !== `Bearer token-${generation}`) {
      const challenge = `Bearer realm="http://${state.host}/token",service="proxy",scope="${scopeOf(url)}"`;
      incoming.resume();
      outgoing.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    switch (fault) {
      case 'cut':
        incoming.socket.destroy();
        return;
      case 'error':
        outgoing.writeHead(503).end('try later');
        return;
      case 'too-large':
        incoming.resume();
        outgoing.writeHead(413).end();
        return;
      case 'denied':
        incoming.resume();
        outgoing.writeHead(403).end();
        return;
      case 'length-required':
        if (incoming.headers['content-length'] !== undefined) break;
        incoming.resume();
        outgoing.writeHead(411).end();
        return;
      case 'busy':
        outgoing.writeHead(429, { 'retry-after': '0' }).end();
        return;
      case 'redirect':
        if (method === 'GET' && url.includes('/blobs/')) {
          outgoing.writeHead(307, { location: `http://localhost:${portOf(elsewhere)}${url}` }).end();
          return;
        }
    }
    forward(incoming, outgoing, fault);
  }

  function giveToken(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const basic = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    if (incoming.headers.authorization !== `Basic ${basic}`) outgoing.writeHead(401).end();
    else outgoing.end(JSON.stringify({ token: `token-${generation}`, expires_in: 300 }));
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault): void {
    const [hostname, port] = target().split(':');
    const { authorization: _, host: __, ...headers } = incoming.headers;
    const outer = request(
      { hostname, port, method: incoming.method, path: incoming.url, headers },
      (response) => {
        const isBlob = incoming.method === 'GET' && incoming.url!.includes('/blobs/');
        outgoing.writeHead(response.statusCode!, relocated(response.headers));
        void passBody(response, outgoing, { fault, isBlob });
      },
    );
    outer.on('error', () => outgoing.destroy());
    void passUpload(incoming, outer, fault);
  }

  async function passUpload(incoming: IncomingMessage, outer: ClientRequest, fault: Fault): Promise<void> {
    const size = incoming.headers['content-length'];
    // The first MiB of what does not say how long it is.
    const half = size === undefined ? 1 << 20 : Math.floor(Number(size) / 2);
    const isBlob = incoming.url!.includes('/blobs/uploads/');
    let sent = 0;
    try {
      for await (const chunk of incoming as AsyncIterable<Buffer>) {
        const over = sent + chunk.length > half;
        const part = fault === 'cut-upload' && over ? chunk.subarray(0, half - sent) : chunk;
        if (fault === 'spoil-upload' && sent <= half && over) part[half - sent]! ^= 0x5a;
        sent += part.length;
        if (isBlob) state.uploadBytes += part.length;
        if (!outer.write(part)) await drained(outer);
        if (fault === 'cut-upload' && over) {
          outer.destroy();
          incoming.socket.destroy();
          return;
        }
      }
      outer.end();
    } catch {
      outer.destroy();
    }
  }

  /** Uploads go on through here. */
  function relocated(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
    const { location, ...rest } = headers;
    return location === undefined ? rest : { ...rest, location: location.replace(target(), state.host) };
  }

  async function passBody(
    response: IncomingMessage,
    outgoing: ServerResponse,
    { fault, isBlob }: { fault: Fault; isBlob: boolean },
  ): Promise<void> {
    const half = Math.floor(Number(response.headers['content-length'] ?? 0) / 2);
    let sent = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        let part = chunk;
        const over = sent + chunk.length > half;
        if ((fault === 'cut-body' || fault === 'truncate') && over) part = chunk.subarray(0, half - sent);
        if (fault === 'spoil' && sent <= half && over) {
          part = Buffer.from(chunk);
          part[half - sent]! ^= 0x5a;
        }
        sent += part.length;
        if (isBlob) state.blobBytes += part.length;
        if (!outgoing.write(part)) await once(outgoing, 'drain');
        if (fault === 'slow') await sleep(2);
        if ((fault === 'cut-body' || fault === 'truncate') && over) {
          if (fault === 'cut-body') outgoing.destroy();
          else {
            const { socket } = outgoing;
            outgoing.end();
            // Else the connection would be kept, and end for the time that nothing comes.
            socket?.destroySoon();
          }
          response.destroy();
          return;
        }
      }
      outgoing.end();
    } catch {
      outgoing.destroy();
    }
  }

  return state;
}

/** The other side takes more, or is gone. */
function drained(stream: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

function scopeOf(url: string): string {
  const repository = /^\/v2\/(.+?)\/(?:manifests|blobs|tags)\//.exec(url)?.[1];
  return repository === undefined ? '' : `repository:${repository}:pull`;
}

async function listen(server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
