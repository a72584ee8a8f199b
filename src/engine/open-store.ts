import { detectIsolation, type IsolationChoice } from '../execute/isolation.ts';
import { storeRoot } from '../store/default-root.ts';
import { openStore, type Store } from '../store/store.ts';

/** Where a store is and how its worker will be isolated. */
export interface StorePlace {
  /** The store's directory; default as `storeRoot`. */
  root?: string | undefined;
  env: NodeJS.ProcessEnv;
  isolation?: IsolationChoice | undefined;
}

/**
 * Opens the store for work on its layers: whoever has other ids than those it was made with is refused. Errors as
 * `openStore` and `detectIsolation`.
 */
export function openStoreForWork({ root, env, isolation }: StorePlace): Store {
  const { idMap } = detectIsolation(env, isolation);
  return openStore(storeRoot(root, env), { idMap });
}
