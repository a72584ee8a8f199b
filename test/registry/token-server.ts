import { randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { derOf, type KeyPair } from './authority.ts';
import { PASSWORD, USER } from './users.ts';

/** What a registry's configuration has to say so that it believes the tokens. */
export const ISSUER = 'slipway tests';
export const SERVICE = 'registry of the tests';

/** One that asked for a token. */
export interface TokenRequest {
  method: string;
  authorization: string | undefined;
  /** Of the query, or of the form. */
  params: Record<string, string>;
}

/** Gives out bearer tokens as the distribution project describes it: by GET, and by POST as OAuth 2. */
export interface TokenServer {
  /** The realm: `https://127.0.0.1:PORT/token`. */
  readonly realm: string;
  readonly requests: TokenRequest[];
  /** Seconds for which a token is said to be good. */
  expiresIn: number;
  /** Seconds for which it really is. */
  validFor: number;
  /** Repositories that anybody may pull from; by default all. */
  isPublic: (repository: string) => boolean;
  /** What POST takes in place of a password. */
  readonly identityToken: string;
  /** Answers in place of the server when it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  close(): Promise<void>;
}

/** Starts one that signs with `pair`, whose authority the registry trusts, and that speaks TLS with it. */
export async function startTokenServer(pair: KeyPair): Promise<TokenServer> {
  const key = readFileSync(pair.key);
  const server: Server = createServer({ key, cert: readFileSync(pair.cert) }, (request, response) => {
    void answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const state: TokenServer = {
    realm: `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    requests: [],
    expiresIn: 300,
    validFor: 300,
    isPublic: () => true,
    identityToken: 'identity-token-of-the-tests',
    intercept: undefined,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = request;
    const query =
      method === 'POST'
        ? new URLSearchParams(await text(request))
        : new URL(request.url!, 'https://x').searchParams;
    const params = Object.fromEntries(query);
    state.requests.push({ method, authorization: headers.authorization, params });
    if (state.intercept?.(request, response)) return;
    const subject = method === 'POST' ? byForm(params) : byHeader(headers.authorization);
    if (subject === undefined) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}');
      return;
    }
    const scopes = query.getAll('scope').flatMap((scope) => scope.split(' ').filter(Boolean));
    const token = jwt(
      subject,
      scopes.flatMap((scope) => granted(subject, scope)),
    );
    const wantsIdentity = params.offline_token === 'true' || params.access_type === 'offline';
    const identity = wantsIdentity ? { refresh_token: state.identityToken } : {};
    response.writeHead(200, { 'content-type': 'application/json' });
    // Half of the servers in the world name it one way, half the other.
    const named = method === 'POST' ? { access_token: token } : { token };
    const issued = { expires_in: state.expiresIn, issued_at: new Date().toISOString() };
    response.end(JSON.stringify({ ...named, ...issued, ...identity }));
  }

  /** The user's name; empty for nobody in particular; undefined for a wrong password. */
  function byHeader(authorization: string | undefined): string | undefined {
    if (authorization === undefined) return '';
    const [user, password] = Buffer.from(authorization.slice('Basic '.length), 'base64')
      .toString()
      .split(':');
    return user === USER && password === PASSWORD ? user : undefined;
  }

  function byForm(params: Record<string, string>): string | undefined {
    if (params.grant_type === 'refresh_token')
      return params.refresh_token === state.identityToken ? USER : undefined;
    return params.username === USER && params.password === PASSWORD ? USER : undefined;
  }

  function granted(subject: string, scope: string): { type: string; name: string; actions: string[] }[] {
    const [, type, name, asked] = /^([^:]+):(.+):([^:]*)$/.exec(scope) ?? [];
    if (asked === undefined) return [];
    const actions = asked.split(',').filter((action) => subject === USER || mayAnybody(name!, action));
    return actions.length === 0 ? [] : [{ type: type!, name: name!, actions }];
  }

  function mayAnybody(repository: string, action: string): boolean {
    return action === 'pull' && state.isPublic(repository);
  }

  function jwt(subject: string, access: unknown): string {
    const now = Math.floor(Date.now() / 1000);
    const head = { typ: 'JWT', alg: 'ES256', x5c: [derOf(pair.cert)] };
    // The clock of the registry is this one, but it compares whole seconds.
    const times = { nbf: now - 10, iat: now - 10, exp: now + state.validFor };
    const body = { iss: ISSUER, sub: subject, aud: SERVICE, ...times, jti: randomUUID(), access };
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part(head)}.${part(body)}`;
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }

  return state;
}
