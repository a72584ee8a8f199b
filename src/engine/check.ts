import type { Finding } from '../store/check.ts';
import { checkIndex, layerChecks } from '../store/check-index.ts';
import { type StoreOptions, withSession } from './with-session.ts';

/**
 * Recomputes every digest and follows every reference of a store. Findings are data; an empty list means that all is
 * well. What dead processes left is cleared away when the session ends, and still reported.
 */
export function check(options: StoreOptions = {}): Promise<Finding[]> {
  return withSession(options, async (store, session) => {
    const findings = checkIndex(store);
    const { client } = await session.worker();
    const { signal } = options;
    const layers = layerChecks(store, session.lease());
    const damage = await client.call<Finding[]>('check-layers', layers, signal ? { signal } : {});
    return [...findings, ...damage];
  });
}
