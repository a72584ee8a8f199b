import { SlipwayError } from '../errors/index.ts';
import { openHttpClient } from '../http/http-client.ts';
import {
  asCount,
  asList,
  asObject,
  asString,
  MAX_DOCUMENT_SIZE,
  parseJsonObject,
} from '../image/json-guard.ts';
import { openCredentialStore } from '../registry/credentials/credential-store.ts';
import { configuredHosts } from '../registry/hosts/configured-hosts.ts';
import type { RegistryHost } from '../registry/types.ts';

/** A repository that was found. */
export interface SearchResult {
  name: string;
  description: string;
  stars: number;
  official: boolean;
  automated: boolean;
}

export interface SearchOptions {
  /** A word, or `registry.example/word`. */
  term: string;
  /** At most so many, 1 to 100. */
  limit: number;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/** Where Docker Hub is searched. */
const HUB = 'index.docker.io';

/**
 * Searches a registry by the first version of Docker's protocol, the only one that has a search.
 *
 * @throws SlipwayError `unsupported` SEARCH_UNSUPPORTED for a registry that has none
 */
export async function search({ term, limit, env, signal }: SearchOptions): Promise<SearchResult[]> {
  const [, registry, rest] = /^((?:localhost|[^/]*[.:][^/]*))\/(.+)$/.exec(term) ?? [undefined, HUB, term];
  const name = registry === 'docker.io' ? HUB : registry!;
  const [host] = (await configuredHosts(env).hostsFor(name)).slice(-1);
  const http = await openHttpClient({
    env,
    tls: { ca: host!.ca, clientCertificates: host!.clientCertificates, insecure: host!.insecure },
  });
  const credential = await openCredentialStore({ env, signal }).credentialFor(
    name === HUB ? 'docker.io' : name,
  );
  const authorization =
    credential?.kind === 'password'
      ? `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
      : undefined;
  const query = new URLSearchParams({ q: rest!, n: String(limit) });
  try {
    const ask = (scheme: string) =>
      http.request({ url: `${scheme}://${address(host!)}/v1/search?${query}`, authorization, signal });
    const answer = await ask('https').catch((error: unknown) => {
      if (host!.insecure && error instanceof SlipwayError && error.kind === 'unavailable') return ask('http');
      throw error;
    });
    if (answer.status !== 200) {
      answer.body.destroy();
      throw unsupported(name, `Unexpected status code ${answer.status}`);
    }
    return results(await bodyOf(answer.body), name).slice(0, limit);
  } finally {
    await http.close();
  }
}

function address({ host, port }: RegistryHost): string {
  return port === undefined ? host : `${host}:${port}`;
}

async function bodyOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    chunks.push(chunk);
    if (size > MAX_DOCUMENT_SIZE) break;
  }
  return Buffer.concat(chunks);
}

function results(bytes: Buffer, registry: string): SearchResult[] {
  const what = 'search result';
  try {
    return asList(parseJsonObject(bytes, what).results ?? [], what, (value, where) => {
      const object = asObject(value, where);
      return {
        name: asString(object.name, `${where}.name`),
        description: asString(object.description ?? '', `${where}.description`),
        stars: asCount(object.star_count ?? 0, `${where}.star_count`),
        official: object.is_official === true,
        automated: object.is_automated === true,
      };
    });
  } catch (cause) {
    throw unsupported(registry, 'its answer makes no sense', cause);
  }
}

function unsupported(registry: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('unsupported', `the registry ${registry} offers no search: ${why}`, {
    code: 'SEARCH_UNSUPPORTED',
    hint: 'Registries of today can list tags, but have no search; Docker Hub has one.',
    cause,
  });
}
