import { SlipwayError } from '../errors/index.ts';
import type { HttpResponse } from '../http/http-client.ts';

export interface PagesRequest {
  /** Behind `/v2/`. */
  path: string;
  /** The list in each page's document. */
  field: string;
  read: (path: string, limit: number) => Promise<{ answer: HttpResponse; bytes: Buffer }>;
}

/** A page of names is no larger. */
const MAX_PAGE = 16 << 20;
/** Nobody has more, and a server that never ends is one too many. */
const MAX_PAGES = 10_000;

/** The entries of a list that comes in pages, each with a `Link` to the next (RFC 8288; distribution-spec, end-8b). */
export async function* documentPages({ path, field, read }: PagesRequest): AsyncGenerator<string> {
  let next: string | undefined = path;
  for (let page = 0; next !== undefined; page++) {
    if (page === MAX_PAGES) throw badPage('there are too many pages');
    const { answer, bytes }: { answer: HttpResponse; bytes: Buffer } = await read(next, MAX_PAGE);
    yield* namesOf(bytes, field);
    next = nextPage(answer, path);
  }
}

function namesOf(bytes: Buffer, field: string): string[] {
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw badPage('it is not JSON');
  }
  const names = document?.[field] ?? [];
  if (!Array.isArray(names)) throw badPage(`${field} is no list`);
  return names.filter((name): name is string => typeof name === 'string');
}

/** Only the query of the link counts: it may lead to no other host and to no other list. */
function nextPage(answer: HttpResponse, path: string): string | undefined {
  const link = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(answer.headers.link ?? '')?.[1];
  const url = link === undefined ? null : URL.parse(link, answer.url);
  return url === null || url.search === '' ? undefined : `${path}${url.search}`;
}

function badPage(why: string): SlipwayError {
  return new SlipwayError('unavailable', `the registry's list cannot be read: ${why}`, {
    code: 'REGISTRY_LIST',
  });
}
