import { SlipwayError } from '../../errors/index.ts';
import { digestOf } from '../../image/digest.ts';
import { MAX_DOCUMENT_SIZE } from '../../image/json-guard.ts';
import type { Descriptor } from '../../image/types.ts';
import type { RegistryEndpoint } from '../../registry/types.ts';

/**
 * A small blob of a registry, verified.
 *
 * @throws SlipwayError `exhausted` DOCUMENT_TOO_LARGE, `corrupt` DIGEST_MISMATCH; those of `RegistryClient`
 */
export async function readRemoteBlob(
  { client, repository }: RegistryEndpoint,
  { digest, size }: Descriptor,
  signal?: AbortSignal,
): Promise<Buffer> {
  if (size > MAX_DOCUMENT_SIZE)
    throw new SlipwayError('exhausted', `${digest} is larger than the limit of ${MAX_DOCUMENT_SIZE} bytes`, {
      code: 'DOCUMENT_TOO_LARGE',
    });
  const { body } = await client.getBlob(repository, digest, { signal });
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      length += chunk.length;
      if (length > size) break;
      chunks.push(chunk);
    }
  } finally {
    body.destroy();
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length === size && digestOf(bytes) === digest) return bytes;
  throw new SlipwayError('corrupt', `the registry's ${digest} has another digest or size`, {
    code: 'DIGEST_MISMATCH',
  });
}
