import { SlipwayError } from '../errors/index.ts';
import { failure } from '../http/http-failure.ts';
import { pause, retryDelay } from '../http/retry.ts';
import { registryFailure } from './registry-error.ts';

/** How often something is tried in all, and the first pause in milliseconds. */
export interface RetrySettings {
  attempts?: number | undefined;
  delayMs?: number | undefined;
}

/** Does it again when it fails in a way that may pass. Default: 4 times, 250 ms. */
export async function retrying<T>(
  work: () => Promise<T>,
  { attempts = 4, delayMs = 250, signal }: RetrySettings & { signal?: AbortSignal | undefined },
): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await work();
    } catch (error) {
      if (count >= attempts || !mayPass(error)) throw error;
    }
    await pause(retryDelay(count, delayMs), signal);
  }
}

/** True for what another attempt may not meet. */
function mayPass(error: unknown): boolean {
  const status = registryFailure(error)?.status;
  if (status !== undefined) return status === 429 || status >= 500;
  return error instanceof SlipwayError && /^(?:HTTP|REGISTRY)_UNREACHABLE$/.test(error.code);
}

/**
 * A body whole. One that breaks off is `unavailable`; one of more than `limit` bytes throws what `tooLarge` gives.
 */
export async function readBody(
  { body, url }: { body: AsyncIterable<Buffer> & { destroy(): unknown }; url: string },
  {
    limit,
    tooLarge,
    signal,
  }: { limit: number; tooLarge: () => SlipwayError; signal?: AbortSignal | undefined },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    throw failure(url, error, signal);
  } finally {
    body.destroy();
  }
  return Buffer.concat(chunks);
}
