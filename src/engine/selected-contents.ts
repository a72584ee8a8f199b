import { getContent, putContent } from '../store/memory.ts';
import type { Store } from '../store/store.ts';

/** Digests of what selectors chose from layers, by the chain of these. */
export interface SelectedContents {
  get(chain: string, selector: string): string | undefined | Promise<string | undefined>;
  put(chain: string, selector: string, digest: string): void;
  /**
   * The layers are here: what was believed without them is checked.
   *
   * @throws SlipwayError `CACHE_LAYER_LOST` where it was wrong; the build begins again without it
   */
  check?(chain: string, selector: string, digest: () => Promise<string>): Promise<void>;
}

/** Those that the store remembers. */
export function storeContents(store: Store): SelectedContents {
  return {
    get: (chain, selector) => getContent(store, chain, selector),
    put: (chain, selector, digest) => putContent(store, chain, selector, digest),
  };
}
