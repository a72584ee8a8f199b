import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import { redactUrl } from '../errors/redact-url.ts';
import { decodeContent } from './content-coding.ts';
import type { HttpClient, HttpResponse } from './http-client.ts';
import { failure, isTransient, statusError } from './http-failure.ts';
import { pause, retryDelay } from './retry.ts';

/** What a server says of a content so that one can ask for it again. */
export interface Validators {
  etag?: string | undefined;
  lastModified?: string | undefined;
}

export interface DownloadRequest {
  url: string;
  /** Where the content goes; replaced when an attempt has to begin anew. */
  file: string;
  /** What is there already: when the server says that it is the same, nothing is fetched. */
  known?: Validators | undefined;
  authorization?: string | undefined;
  /** Greatest size in bytes, decoded. */
  limit: number;
  /** How often a body that breaks off is asked for in all, and the first delay. Default 4, 250 ms. */
  attempts?: number;
  delayMs?: number;
  /** Told of the bytes of the content so far, and how many there will be where that is known. */
  received?: ((bytes: number, total?: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export type Download =
  | { changed: false }
  | {
      changed: true;
      /** Hex. */
      sha256: string;
      size: number;
      validators: Validators;
      /** `Content-Disposition` as it came. */
      disposition: string | undefined;
    };

/**
 * Fetches a URL into a file, decoding what the server encoded. Sizes need not be known.
 *
 * @throws SlipwayError `not-found`, `denied`, `unavailable` HTTP_STATUS; `exhausted` HTTP_TOO_LARGE; those of
 * `HttpClient`
 */
export async function download(client: HttpClient, request: DownloadRequest): Promise<Download> {
  const { attempts = 4, delayMs = 250, signal } = request;
  for (let attempt = 1; ; attempt++) {
    const answer = await ask(client, request);
    if (answer === undefined) return { changed: false };
    try {
      return await save(answer, request);
    } catch (error) {
      answer.body.destroy();
      if (attempt >= attempts || signal?.aborted || !isTransient(error))
        throw failure(request.url, error, signal);
    }
    await pause(retryDelay(attempt, delayMs), signal);
  }
}

/** The answer with a content, or undefined when what is known is still right. */
async function ask(client: HttpClient, request: DownloadRequest): Promise<HttpResponse | undefined> {
  const { url, known, authorization, signal } = request;
  const conditions: Record<string, string> = {};
  // If-Modified-Since is for servers without entity tags (RFC 9110, 13.1.3).
  if (known?.etag !== undefined) conditions['if-none-match'] = known.etag;
  else if (known?.lastModified !== undefined) conditions['if-modified-since'] = known.lastModified;
  // As Docker asks; other encodings are read when they come unasked.
  const headers = { accept: '*/*', 'accept-encoding': 'gzip', ...conditions };
  const answer = await client.request({ url, headers, authorization, signal });
  if (answer.status === 304 && Object.keys(conditions).length > 0) {
    answer.body.destroy();
    return undefined;
  }
  if (answer.status >= 200 && answer.status < 300) return answer;
  answer.body.destroy();
  throw statusError(url, answer.status);
}

async function save(answer: HttpResponse, request: DownloadRequest): Promise<Download> {
  const { headers } = answer;
  // Of what is encoded on the way, the length is that of the code.
  const length = headers['content-encoding'] === undefined ? headers['content-length'] : undefined;
  const total = length === undefined ? undefined : Number(length);
  if ((total ?? 0) > request.limit) throw tooLarge(request);
  const hash = createHash('sha256');
  let size = 0;
  const descriptor = fs.openSync(request.file, 'w', 0o600);
  try {
    for await (const chunk of decodeContent(answer.body, headers['content-encoding'])) {
      size += chunk.length;
      if (size > request.limit) throw tooLarge(request);
      hash.update(chunk);
      request.received?.(size, total);
      for (let at = 0; at < chunk.length; ) at += fs.writeSync(descriptor, chunk, at);
    }
  } finally {
    fs.closeSync(descriptor);
  }
  return {
    changed: true,
    sha256: hash.digest('hex'),
    size,
    validators: { etag: headers.etag, lastModified: headers['last-modified'] },
    disposition: headers['content-disposition'],
  };
}

function tooLarge({ url, limit }: DownloadRequest): SlipwayError {
  return new SlipwayError('exhausted', `${redactUrl(url)} is larger than ${limit} bytes`, {
    code: 'HTTP_TOO_LARGE',
  });
}
