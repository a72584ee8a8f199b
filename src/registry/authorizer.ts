import { SlipwayError } from '../errors/index.ts';
import type { HttpClient, HttpResponse } from '../http/http-client.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { networkError, registryError } from './registry-error.ts';
import { type RetrySettings, readBody, retrying } from './retrying.ts';
import { mergeScopes, type Scope } from './scopes.ts';
import type { Credential } from './types.ts';

/** The specification's life of a token that does not say how long it is good for, and the least one. */
const TOKEN_SECONDS = 60;
/** A token is not used in the last seconds of its life: it must still be good when it arrives. */
const SPARE_MS = 5_000;
/** A token server's answer is small. */
const MAX_ANSWER = 1 << 20;
const CLIENT_ID = 'slipway';

interface Token {
  header: string;
  /** Milliseconds since 1970. */
  expires: number;
}

export interface AuthorizerOptions {
  http: HttpClient;
  retry?: RetrySettings | undefined;
  /** Of the one host that this is for; asked for once, when the host wants it. */
  credential: () => Promise<Credential | undefined>;
  /** The host is reached over TLS whose certificates are looked at, so no credential may go elsewhere in clear. */
  secure: boolean;
}

/**
 * Answers the challenges of one host: Basic, and Bearer with a token server (distribution, "Token Authentication" and
 * "OAuth2"). Tokens are kept by scope until they end; calls at the same time share one request.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, Promise<Token>>();
  #credential: Promise<Credential | undefined> | undefined;
  #challenge: Challenge | undefined;
  /** Headers that the host would not have, whatever their time. */
  readonly #refused = new Set<string>();
  /** Headers and tokens that were sent, so that no message shows one. */
  readonly #secrets = new Set<string>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** What no message may show. */
  get secrets(): readonly string[] {
    return [...this.#secrets];
  }

  /** The header for a request with these scopes, as far as the host has said what it wants. */
  async header(scopes: readonly Scope[], signal?: AbortSignal): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    return this.#answer(challenge, scopes, signal);
  }

  /**
   * The header after a 401 with this `WWW-Authenticate`; `sent` is the one that was refused. Undefined when there is
   * nothing better to send.
   */
  async retry(
    challenges: string,
    request: { scopes: readonly Scope[]; sent: string | undefined; signal?: AbortSignal | undefined },
  ): Promise<string | undefined> {
    const { scopes, sent, signal } = request;
    const all = parseChallenges(challenges);
    const challenge =
      all.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.realm !== undefined) ??
      all.find(({ scheme }) => scheme === 'basic');
    if (challenge === undefined) return undefined;
    this.#challenge = challenge;
    const wanted = challenge.parameters.scope;
    const both =
      wanted === undefined ? scopes : [...scopes, ...wanted.split(' ').filter((one) => one !== '')];
    if (sent !== undefined) this.#refused.add(sent);
    const header = await this.#answer(challenge, both, signal);
    if (header !== undefined && challenge.scheme === 'bearer') this.#alias(scopes, both);
    return header === sent ? undefined : header;
  }

  async #answer(
    challenge: Challenge,
    scopes: readonly Scope[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    if (challenge.scheme === 'basic') return this.#basic();
    const credential = await this.#own();
    if (credential?.kind === 'registry-token') return this.#remember(`Bearer ${credential.token}`);
    return (await this.#token(challenge, scopes, signal)).header;
  }

  async #basic(): Promise<string | undefined> {
    const credential = await this.#own();
    if (credential?.kind !== 'password') return undefined;
    return this.#remember(basic(credential));
  }

  #own(): Promise<Credential | undefined> {
    this.#credential ??= this.#options.credential().then((credential) => {
      if (credential?.kind === 'password') this.#secrets.add(credential.password);
      else if (credential !== undefined) this.#secrets.add(credential.token);
      return credential;
    });
    return this.#credential;
  }

  #token(challenge: Challenge, scopes: readonly Scope[], signal?: AbortSignal): Promise<Token> {
    const merged = mergeScopes(scopes);
    const key = JSON.stringify(merged);
    const known = this.#tokens.get(key);
    const fresh = (known ?? this.#fetch(challenge, merged, signal)).then(async (token) => {
      if (known === undefined || this.#isGood(token)) return token;
      return this.#fetch(challenge, merged, signal);
    });
    this.#tokens.set(key, fresh);
    fresh.catch(() => {
      if (this.#tokens.get(key) === fresh) this.#tokens.delete(key);
    });
    return fresh;
  }

  #isGood({ header, expires }: Token): boolean {
    return expires > Date.now() + SPARE_MS && !this.#refused.has(header);
  }

  /** The next request with these scopes begins with the token that the host wanted for them. */
  #alias(scopes: readonly Scope[], both: readonly Scope[]): void {
    const token = this.#tokens.get(JSON.stringify(mergeScopes(both)));
    if (token !== undefined) this.#tokens.set(JSON.stringify(mergeScopes(scopes)), token);
  }

  async #fetch(challenge: Challenge, scopes: readonly Scope[], signal?: AbortSignal): Promise<Token> {
    const { realm = '', service } = challenge.parameters;
    const url = URL.parse(realm);
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      throw new SlipwayError('invalid', `the registry names no token server: ${JSON.stringify(realm)}`, {
        code: 'REGISTRY_CHALLENGE',
      });
    }
    const credential = await this.#own();
    if (credential !== undefined && this.#options.secure && url.protocol !== 'https:') {
      throw new SlipwayError('denied', `the registry wants its credentials sent in clear to ${url.origin}`, {
        code: 'REGISTRY_TOKEN_INSECURE',
        hint: 'They are only sent over https.',
      });
    }
    const answer =
      credential?.kind === 'identity-token'
        ? await this.#exchange(url, { service, scopes, refresh: credential.token, signal })
        : await this.#ask(url, { service, scopes, credential, signal });
    return tokenOf(documentOf(answer), (header) => this.#remember(header));
  }

  async #ask(
    realm: URL,
    request: {
      service: string | undefined;
      scopes: readonly Scope[];
      credential: Credential | undefined;
      signal: AbortSignal | undefined;
    },
  ): Promise<Buffer> {
    const { service, scopes, credential, signal } = request;
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    let authorization: string | undefined;
    if (credential?.kind === 'password') {
      url.searchParams.set('account', credential.username);
      authorization = this.#remember(basic(credential));
    }
    return this.#send({ method: 'GET', url: url.href, authorization, signal });
  }

  async #exchange(
    realm: URL,
    request: {
      service: string | undefined;
      scopes: readonly Scope[];
      refresh: string;
      signal: AbortSignal | undefined;
    },
  ): Promise<Buffer> {
    const { service, scopes, refresh, signal } = request;
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: refresh,
      client_id: CLIENT_ID,
    });
    if (service !== undefined) form.set('service', service);
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    return this.#send({ method: 'POST', url: realm.href, body: Buffer.from(form.toString()), signal });
  }

  async #send(request: {
    method: 'GET' | 'POST';
    url: string;
    authorization?: string | undefined;
    body?: Buffer;
    signal: AbortSignal | undefined;
  }): Promise<Buffer> {
    const { body, signal } = request;
    const headers = {
      accept: 'application/json',
      ...(body && {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': String(body.length),
      }),
    };
    return retrying(
      async () => {
        let answer: HttpResponse;
        try {
          answer = await this.#options.http.request({ ...request, headers });
        } catch (error) {
          throw networkError(request, error);
        }
        if (answer.status !== 200) throw await registryError(request, answer, this.secrets);
        return readBody(answer, { limit: MAX_ANSWER, tooLarge: badToken, signal });
      },
      { ...this.#options.retry, signal },
    );
  }

  #remember(header: string): string {
    this.#secrets.add(header.slice(header.indexOf(' ') + 1));
    return header;
  }
}

function basic({ username, password }: Extract<Credential, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function documentOf(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw badToken();
}

function tokenOf(document: Record<string, unknown>, remember: (header: string) => string): Token {
  const token = [document.token, document.access_token].find((one) => typeof one === 'string' && one !== '');
  // What is not printable could end the header and begin another.
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw badToken();
  const seconds = Math.max(TOKEN_SECONDS, Number(document.expires_in) || 0);
  // Counted from now and not from `issued_at`: clocks differ.
  return { header: remember(`Bearer ${token}`), expires: Date.now() + seconds * 1000 };
}

function badToken(): SlipwayError {
  return new SlipwayError('unavailable', 'the token server of the registry sent no token', {
    code: 'REGISTRY_TOKEN_MISSING',
  });
}
