import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';

/** Answers a request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server on the loopback while the tests of a suite run; what it answers is set anew for each test. */
export interface WebServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The same under another name: another origin. */
  readonly otherUrl: string;
  /** By path without the query; anything else is not found. */
  readonly answers: Map<string, Answer>;
  readonly requests: { method: string; url: string; headers: IncomingMessage['headers'] }[];
  /** Serves a content with an entity tag and a date, and says 304 to who has it. */
  file(path: string, content: string | Buffer, headers?: Record<string, string>): void;
}

export function webServer(): WebServer {
  let server: Server | undefined;
  const port = (): number => (server!.address() as AddressInfo).port;
  const web: WebServer = {
    get url() {
      return `http://127.0.0.1:${port()}`;
    },
    get otherUrl() {
      return `http://localhost:${port()}`;
    },
    answers: new Map(),
    requests: [],
    file(path, content, headers = {}) {
      const all: Record<string, string> = {
        etag: '"1"',
        'last-modified': 'Tue, 02 Jan 2024 03:04:05 GMT',
        ...headers,
      };
      web.answers.set(path, (request, response) => {
        for (const [name, value] of Object.entries(all)) if (value !== '') response.setHeader(name, value);
        const { 'if-none-match': tag, 'if-modified-since': since } = request.headers;
        const same =
          (tag !== undefined && tag === all.etag) || (since !== undefined && since === all['last-modified']);
        if (same) response.writeHead(304).end();
        else response.end(content);
      });
    },
  };
  beforeAll(async () => {
    server = createServer((request, response) => {
      web.requests.push({ method: request.method!, url: request.url!, headers: request.headers });
      const answer = web.answers.get(request.url!.split('?')[0]!);
      if (answer === undefined) response.writeHead(404).end('nothing here');
      else answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    web.answers.clear();
    web.requests.length = 0;
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });
  return web;
}
