import { SlipwayError } from '../errors/index.ts';
import type { Store } from '../store/store.ts';
import { openStoreForWork } from './open-store.ts';
import { type SessionOptions, StoreSession } from './session.ts';

/** What every use case that needs the store takes. */
export interface StoreOptions {
  /** The store's directory; default as `storeRoot`. */
  root?: string | undefined;
  /** Default `process.env`. */
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  runtime?: SessionOptions['runtime'];
  isolation?: SessionOptions['isolation'];
}

/**
 * Opens store and session, does `work`, and closes both. A worker that does not end soon after the signal aborts is
 * killed. `inheritStdio` gives the worker this process's standard streams.
 */
export async function withSession<T>(
  options: StoreOptions & { inheritStdio?: boolean },
  work: (store: Store, session: StoreSession) => Promise<T>,
): Promise<T> {
  const env = options.env ?? process.env;
  using store = openStoreForWork({ root: options.root, env, isolation: options.isolation });
  const session = new StoreSession({
    store,
    env,
    runtime: options.runtime ?? 'auto',
    isolation: options.isolation,
    ...(options.inheritStdio === undefined ? {} : { inheritStdio: options.inheritStdio }),
  });
  if (options.signal) session.killAfterAbort(options.signal);
  try {
    return await work(store, session);
  } catch (error) {
    if (!options.signal?.aborted) throw error;
    throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED', cause: error });
  } finally {
    await session.close();
  }
}
