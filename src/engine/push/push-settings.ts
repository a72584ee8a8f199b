import type { PushRequest } from '../../registry/push/push-image.ts';

/**
 * How pushes are tuned by the environment: SLIPWAY_RETRY_DELAY_MS, the first pause before something is tried again;
 * SLIPWAY_UPLOAD_CHUNK, the most bytes that a request carries, for registries behind servers that limit that.
 */
export function pushSettings(env: NodeJS.ProcessEnv): Pick<PushRequest, 'delayMs' | 'chunkBytes'> {
  const delayMs = count(env.SLIPWAY_RETRY_DELAY_MS);
  const chunkBytes = count(env.SLIPWAY_UPLOAD_CHUNK);
  return {
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(chunkBytes === undefined || chunkBytes === 0 ? {} : { chunkBytes }),
  };
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}
