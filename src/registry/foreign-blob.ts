import { SlipwayError } from '../errors/index.ts';
import { openHttpClient } from '../http/http-client.ts';
import { statusError } from '../http/http-failure.ts';
import type { BlobSource } from './fetch-blob.ts';

/**
 * Where a layer says that it can be had outside of the registry (OCI image-spec, descriptor `urls`). Nobody's
 * credentials are sent.
 */
export function foreignSources(
  urls: readonly string[],
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal },
): BlobSource[] {
  return urls
    .filter((url) => /^https?:\/\/[^@]*$/i.test(url))
    .map(
      (url): BlobSource =>
        async (from) => {
          const client = await openHttpClient({ env });
          const close = (): void => void client.close();
          try {
            const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) };
            const { status, body, headers: said } = await client.request({ url, headers, signal });
            const start = status === 206 ? Number(/^bytes (\d+)-/.exec(said['content-range'] ?? '')?.[1]) : 0;
            if ((status !== 200 && status !== 206) || (status === 206 && start !== from)) {
              body.destroy();
              throw status === 206 ? otherPart() : statusError(url, status);
            }
            async function* all(): AsyncGenerator<Buffer> {
              try {
                yield* body;
              } finally {
                close();
              }
            }
            const destroy = (): void => {
              body.destroy();
              close();
            };
            return { body: Object.assign(all(), { destroy }), start };
          } catch (error) {
            close();
            throw error;
          }
        },
    );
}

function otherPart(): SlipwayError {
  return new SlipwayError('unavailable', 'the server sent another part of a layer than was asked for', {
    code: 'REGISTRY_RANGE',
  });
}
