import { SlipwayError } from '../errors/index.ts';
import { openStore, type Store } from '../store/store.ts';

/**
 * Calls `body` with the store at `root`, or with undefined when there is none: a command that only looks must not
 * make a store where a mistyped `--root` points.
 */
export function withExistingStore<Result>(root: string, body: (store: Store | undefined) => Result): Result {
  let store: Store;
  try {
    store = openStore(root, { create: false });
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'STORE_NOT_FOUND') return body(undefined);
    throw error;
  }
  try {
    return body(store);
  } finally {
    store.close();
  }
}
