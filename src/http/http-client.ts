import { Readable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { Dispatcher } from 'undici';
import { SlipwayError } from '../errors/index.ts';
import { redactUrl } from '../errors/redact-url.ts';
import { failure, isTransient } from './http-failure.ts';
import { proxyChoice } from './proxy-choice.ts';
import { pause, retryDelay } from './retry.ts';

export interface HttpClientOptions {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case, say what goes through a proxy; this machine never does. */
  env: NodeJS.ProcessEnv;
  /** Milliseconds without an answer, and without a byte of a body, after which a host counts as gone. Default 60 s. */
  idleMs?: number;
  /** How often a request is tried in all. Default 4. */
  attempts?: number;
  /** Milliseconds before the second attempt; doubled each time. Default 250. */
  delayMs?: number;
  tls?: TlsSettings | undefined;
}

/** Whom to trust and who we are, where that is not what the system says. Certificates and keys are PEM. */
export interface TlsSettings {
  /** Trusted beside those of the system. */
  ca?: readonly string[] | undefined;
  clientCertificates?: readonly { certificate: string; key: string }[] | undefined;
  /** Take any certificate. */
  insecure?: boolean | undefined;
}

export interface HttpRequest {
  url: string;
  /** Default GET. Only GET and HEAD are repeated and follow redirects. */
  method?: Dispatcher.HttpMethod;
  headers?: Readonly<Record<string, string>>;
  /** Of the length that a `content-length` header says. */
  body?: Buffer | AsyncIterable<Buffer> | undefined;
  /** How often it is tried in all, in place of the client's. */
  attempts?: number | undefined;
  /** Sent to the origin of `url` and to no other that it redirects to. */
  authorization?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case; of a repeated header all values, joined with commas. */
  headers: Readonly<Record<string, string>>;
  /** Not decoded. Whoever does not read it to its end destroys it, or lets a short one go by so that the connection stays. */
  body: AsyncIterable<Buffer> & { destroy(): unknown; resume(): unknown };
  /** The address that answered, after redirects. */
  url: string;
}

/** Sends requests, with proxies, redirects, retries and timeouts taken care of. `close` gives all connections back. */
export interface HttpClient {
  /**
   * Any status is an answer here; those that promise to be different soon (429, 502, …) are asked again first.
   *
   * @throws SlipwayError `unavailable` HTTP_UNREACHABLE, HTTP_REDIRECTS; `invalid` HTTP_URL_INVALID; `canceled`
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Answers that another attempt may change. */
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * Opens a client. Loads undici, and with it Node's TLS: some 40 ms, so only where there is something to fetch. Of undici
 * a quarter of its modules, where no proxy is asked.
 */
export async function openHttpClient(options: HttpClientOptions): Promise<HttpClient> {
  const { default: send } = await import('undici/lib/api/api-request.js');
  const { env, idleMs = 60_000, attempts = 4, delayMs = 250 } = options;
  const variable = (name: string): string => env[name.toLowerCase()] || env[name] || '';
  const trusted = options.tls && (await tlsOptions(options.tls));
  const proxyFor = proxyChoice({
    httpProxy: variable('HTTP_PROXY'),
    httpsProxy: variable('HTTPS_PROXY'),
    noProxy: variable('NO_PROXY'),
  });
  const settings = {
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
    connect: { timeout: Math.min(idleMs, 30_000), ...trusted },
  };
  const dispatchers = new Map<string | undefined, Promise<Dispatcher>>();
  const dispatcherFor = (url: URL): Promise<Dispatcher> => {
    const uri = proxyFor(url);
    let dispatcher = dispatchers.get(uri);
    if (dispatcher === undefined) {
      dispatcher = open(uri);
      dispatchers.set(uri, dispatcher);
    }
    return dispatcher;
  };
  async function open(uri: string | undefined): Promise<Dispatcher> {
    if (uri === undefined) {
      const { default: Agent } = await import('undici/lib/dispatcher/agent.js');
      return new Agent(settings);
    }
    const { ProxyAgent } = await import('undici');
    return new ProxyAgent({ ...settings, uri, ...(trusted && { requestTls: trusted }) });
  }

  async function once(request: HttpRequest, url: URL): Promise<HttpResponse> {
    const { method = 'GET', headers = {}, body, signal } = request;
    const sameOrigin = url.origin === parseUrl(request.url).origin;
    const authorization = sameOrigin ? (request.authorization ?? basicOf(request.url)) : undefined;
    const answer = await send.call(await dispatcherFor(url), {
      method,
      origin: url.origin,
      path: url.pathname + url.search,
      // Else undici closes the connection after each HEAD, for servers that send what they must not.
      reset: false,
      headers: {
        'user-agent': 'slipway',
        ...(sameOrigin ? headers : withoutCredentials(headers)),
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === undefined
        ? {}
        : { body: Buffer.isBuffer(body) ? body : Readable.from(body, { objectMode: false }) }),
      ...(signal === undefined ? {} : { signal }),
    });
    // Whoever reads it gets its errors; one that is given up has none that matter.
    answer.body.on('error', () => {});
    return { status: answer.statusCode, headers: flat(answer.headers), body: answer.body, url: url.href };
  }

  async function follow(request: HttpRequest): Promise<HttpResponse> {
    const { method = 'GET' } = request;
    const repeatable = method === 'GET' || method === 'HEAD';
    let url = parseUrl(request.url);
    for (let redirects = 0; ; redirects++) {
      const answer = await once(request, url);
      const { location } = answer.headers;
      if (!repeatable || !REDIRECTS.has(answer.status) || location === undefined) return answer;
      answer.body.destroy();
      if (redirects === MAX_REDIRECTS)
        throw new SlipwayError('unavailable', `${redactUrl(request.url)} redirects too often`, {
          code: 'HTTP_REDIRECTS',
        });
      url = parseUrl(location, url);
    }
  }

  return {
    async request(request) {
      const { method = 'GET', signal } = request;
      const most = method === 'GET' || method === 'HEAD' ? (request.attempts ?? attempts) : 1;
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await follow(request);
          if (attempt >= most || !TRANSIENT_STATUS.has(answer.status)) return answer;
          answer.body.destroy();
          await pause(retryDelay(attempt, delayMs, answer.headers['retry-after']), signal);
        } catch (error) {
          if (attempt >= most || signal?.aborted || !isTransient(error))
            throw failure(request.url, error, signal);
          await pause(retryDelay(attempt, delayMs), signal);
        }
      }
    },
    async close() {
      await Promise.all([...dispatchers.values()].map(async (dispatcher) => (await dispatcher).destroy()));
    },
  };
}

async function tlsOptions({
  ca = [],
  clientCertificates = [],
  insecure,
}: TlsSettings): Promise<Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'>> {
  const { getCACertificates } = await import('node:tls');
  return {
    // A list of authorities replaces the usual ones.
    ...(ca.length > 0 && { ca: [...getCACertificates('default'), ...getCACertificates('system'), ...ca] }),
    ...(clientCertificates.length > 0 && {
      cert: clientCertificates.map(({ certificate }) => certificate),
      key: clientCertificates.map(({ key }) => key),
    }),
    ...(insecure === true && { rejectUnauthorized: false }),
  };
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new SlipwayError('invalid', `not an address of the web: ${redactUrl(text)}`, {
    code: 'HTTP_URL_INVALID',
    hint: 'Only http:// and https:// are fetched.',
  });
}

function basicOf(text: string): string | undefined {
  const { username, password } = parseUrl(text);
  if (username === '' && password === '') return undefined;
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(?:authorization|cookie|proxy-authorization)$/i.test(name)),
  );
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value!]),
  );
}
