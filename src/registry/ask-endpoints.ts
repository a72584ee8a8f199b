import { SlipwayError } from '../errors/index.ts';
import type { RegistryEndpoint } from './types.ts';

/**
 * Asks one host after the other until one has an answer. What a mirror does not have or cannot say, the next host is
 * asked for; the last one's failure is told. Undefined when no host has it.
 */
export async function askEndpoints<T>(
  endpoints: readonly RegistryEndpoint[],
  ask: (endpoint: RegistryEndpoint) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const [index, endpoint] of endpoints.entries()) {
    try {
      const answer = await ask(endpoint);
      if (answer !== undefined) return answer;
    } catch (error) {
      const isLast = index === endpoints.length - 1;
      const isCanceled = error instanceof SlipwayError && error.kind === 'canceled';
      if (isLast || isCanceled || !endpoint.client.host.isMirror) throw error;
    }
  }
  return undefined;
}
