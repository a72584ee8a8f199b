import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';

/** A proxy as HTTP_PROXY names one. It alone knows the way to hosts whose names end with `.test`: they are this machine. */
export interface ForwardProxy {
  readonly url: string;
  /** `HOST:PORT` of each request and tunnel, since the test began. */
  readonly seen: string[];
  /** `USER:PASSWORD` that it asks for. */
  credentials: string | undefined;
}

/** Runs one while the tests of a suite run. */
export function forwardProxy(): ForwardProxy {
  const server = createServer((incoming, outgoing) => {
    const { host, hostname, port, pathname, search } = new URL(incoming.url!);
    if (refused(incoming)) return void outgoing.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
    proxy.seen.push(host);
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    const { method = 'GET' } = incoming;
    const further = request({ host: addressOf(hostname), port, path: pathname + search, method, headers });
    further.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    further.on('error', () => outgoing.destroy());
    incoming.pipe(further);
  });
  const refused = ({ headers }: IncomingMessage): boolean =>
    proxy.credentials !== undefined &&
    headers['proxy-authorization'] !== `Basic ${Buffer.from(proxy.credentials).toString('base64')}`;
  const proxy: ForwardProxy = {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    seen: [],
    credentials: undefined,
  };
  server.on('connect', (incoming, socket) => {
    socket.on('error', () => {});
    if (refused(incoming)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
      return;
    }
    proxy.seen.push(incoming.url!);
    const [host, port] = incoming.url!.split(':');
    const upstream = connect(Number(port), addressOf(host!));
    upstream.on('connect', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    proxy.seen.length = 0;
    proxy.credentials = undefined;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return proxy;
}

function addressOf(host: string): string {
  return host.endsWith('.test') ? '127.0.0.1' : host;
}
