import { SlipwayError } from '../errors/index.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../http/http-client.ts';
import { speaksTls } from '../http/speaks-tls.ts';
import { Authorizer } from './authorizer.ts';
import { networkError, registryError } from './registry-error.ts';
import { type RetrySettings, readBody, retrying } from './retrying.ts';
import { repositoryScope, type Scope } from './scopes.ts';
import type { Credential, RegistryHost, UploadBody } from './types.ts';

/** A request to the host: `path` behind `/v2/`, or an absolute address that the host has named. */
export interface TransportRequest {
  method?: NonNullable<HttpRequest['method']>;
  path?: string;
  url?: string;
  headers?: Readonly<Record<string, string>>;
  body?: UploadBody;
  scopes: readonly Scope[];
  /** Statuses that are no failure. */
  ok: readonly number[];
  /** It does the same when it is sent again, though it is neither GET nor HEAD. */
  repeat?: boolean;
  signal?: AbortSignal | undefined;
}

/** Sends requests with what the host wants to know of us. */
export interface Transport {
  send(request: TransportRequest): Promise<HttpResponse>;
  /** A GET whose answer is read whole, again from the start where it breaks off. */
  read(request: TransportRequest, limit: number): Promise<{ answer: HttpResponse; bytes: Buffer }>;
  pullScope(repository: string): Scope[];
  pushScope(repository: string): Scope[];
}

export interface TransportOptions {
  host: RegistryHost;
  intent: 'pull' | 'push';
  credential: () => Promise<Credential | undefined>;
  /** With the host's certificates. */
  http: HttpClient;
}

/** A token may end, and a second challenge ask for more than the first. */
const MAX_CHALLENGES = 3;

/** Bytes of a body that nobody wants, beyond which a new connection costs less. */
const MAX_PASSED = 64 << 10;

/** How long a server of this machine may take to show what it speaks. */
const PROBE_MS = 2000;

/** Names under which this machine is reached, and never through a proxy. */
const OWN_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The way to one host. Credentials and tokens go to this host's origin (and the token server that it names) and to no
 * other, whatever addresses it sends us to.
 */
export function openTransport(options: TransportOptions & { retry?: RetrySettings }): Transport {
  const { host, intent, http, retry = {} } = options;
  const authorizer = new Authorizer({
    http,
    retry,
    credential: options.credential,
    secure: host.scheme === 'https' && !host.insecure,
  });
  let origin: Promise<string> | undefined;

  async function urlOf(request: TransportRequest): Promise<{ url: string; own: boolean }> {
    origin ??= originOf(host, http, request.signal);
    origin.catch(() => {
      origin = undefined;
    });
    const base = await origin;
    const url = request.url ?? `${base}${host.pathPrefix}/v2/${request.path ?? ''}`;
    return { url, own: new URL(url).origin === base };
  }

  async function attempt(request: TransportRequest): Promise<HttpResponse> {
    const { method = 'GET', headers = {}, body, scopes, signal } = request;
    const { url, own } = await urlOf(request);
    let authorization = own ? await authorizer.header(scopes, signal) : undefined;
    for (let challenges = 0; ; challenges++) {
      const answer = await sendOnce({
        method,
        url,
        headers: { ...headers, ...lengthOf(body) },
        body,
        authorization,
        signal,
      });
      if (answer.status !== 401 || !own || challenges === MAX_CHALLENGES) return answer;
      const challenge = answer.headers['www-authenticate'];
      const better =
        challenge === undefined
          ? undefined
          : await authorizer.retry(challenge, { scopes, sent: authorization, signal });
      if (better === undefined) return answer;
      discard(answer, method);
      authorization = better;
    }
  }

  async function sendOnce(request: {
    method: NonNullable<HttpRequest['method']>;
    url: string;
    headers: Record<string, string>;
    body: UploadBody | undefined;
    authorization: string | undefined;
    signal: AbortSignal | undefined;
  }): Promise<HttpResponse> {
    const { body } = request;
    try {
      return await http.request({
        ...request,
        body: body === undefined || Buffer.isBuffer(body) ? body : body.open(),
      });
    } catch (error) {
      throw networkError(request, error);
    }
  }

  async function once(request: TransportRequest): Promise<HttpResponse> {
    const answer = await attempt(request);
    if (request.ok.includes(answer.status)) return answer;
    const { method = 'GET' } = request;
    throw await registryError({ method, url: answer.url }, answer, authorizer.secrets);
  }

  return {
    send: (request) =>
      request.repeat === true
        ? retrying(() => once(request), { ...retry, signal: request.signal })
        : once(request),
    read: (request, limit) =>
      retrying(
        async () => {
          const answer = await once(request);
          const { signal } = request;
          return {
            answer,
            bytes: await readBody(answer, { limit, tooLarge: () => tooLarge(limit), signal }),
          };
        },
        { ...retry, signal: request.signal },
      ),
    pullScope: (repository) => [repositoryScope(repository, intent === 'push' ? 'pull,push' : 'pull')],
    pushScope: (repository) => [repositoryScope(repository, 'pull,push')],
  };
}

/** A short body goes by, so that the connection can be used again. That of HEAD has no bytes, whatever length is told. */
export function discard({ body, headers }: HttpResponse, method?: HttpRequest['method']): void {
  if (method === 'HEAD' || Number(headers['content-length']) <= MAX_PASSED) body.resume();
  else body.destroy();
}

function lengthOf(body: UploadBody | undefined): Record<string, string> {
  const size = Buffer.isBuffer(body) ? body.length : body?.size;
  return size === undefined ? {} : { 'content-length': String(size) };
}

function tooLarge(limit: number): SlipwayError {
  return new SlipwayError(
    'exhausted',
    `a document of the registry is larger than the limit of ${limit} bytes`,
    {
      code: 'DOCUMENT_TOO_LARGE',
    },
  );
}

/**
 * Scheme, host and port. A host that needs no certificate is asked over TLS first, then in clear, as by Docker; nothing
 * secret is sent before that is settled. One of this machine is looked at first, which is quicker.
 */
async function originOf(
  host: RegistryHost,
  http: HttpClient,
  signal: AbortSignal | undefined,
): Promise<string> {
  const at = (scheme: string): string =>
    `${scheme}://${host.host}${host.port === undefined ? '' : `:${host.port}`}`;
  const chosen = new URL(at(host.scheme)).origin;
  if (!host.insecure || host.scheme === 'http') return chosen;
  if (OWN_HOSTS.includes(host.host)) {
    const address = { host: host.host.replace(/^\[|\]$/g, ''), port: host.port ?? 443 };
    if ((await speaksTls(address, PROBE_MS)) === false) return new URL(at('http')).origin;
  }
  try {
    const answer = await http.request({ url: `${chosen}${host.pathPrefix}/v2/`, attempts: 1, signal });
    answer.body.destroy();
    return chosen;
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'HTTP_UNREACHABLE') throw error;
    return new URL(at('http')).origin;
  }
}
