import type { Digest } from '../image/types.ts';
import type { Store } from './store.ts';

/** Plans that are kept; the least recently kept go first. */
const MAX_PLANS = 500;

/** The digest of what `selector` chose from the layers of `chain`, if it was computed before. */
export function getContent(store: Store, chain: Digest, selector: string): string | undefined {
  return store.database.get<{ digest: string }>(
    'SELECT digest FROM contents WHERE chain = ? AND selector = ?',
    chain,
    selector,
  )?.digest;
}

/** Remembers a content digest. A chain id names content, so it never becomes wrong. */
export function putContent(store: Store, chain: Digest, selector: string, digest: string): void {
  store.database.run(
    'INSERT OR REPLACE INTO contents (chain, selector, digest, used_ms) VALUES (?, ?, ?, ?)',
    chain,
    selector,
    digest,
    Date.now(),
  );
}

/** The JSON text of a plan that was kept under `key`. */
export function getPlan(store: Store, key: string): string | undefined {
  return store.database.get<{ text: string }>('SELECT text FROM plans WHERE key = ?', key)?.text;
}

/** Keeps a plan; old ones are dropped beyond a fixed number. */
export function putPlan(store: Store, key: string, text: string): void {
  store.database.transaction(() => {
    store.database.run(
      'INSERT OR REPLACE INTO plans (key, text, used_ms) VALUES (?, ?, ?)',
      key,
      text,
      Date.now(),
    );
    store.database.run(
      'DELETE FROM plans WHERE rowid <= (SELECT rowid FROM plans ORDER BY rowid DESC LIMIT 1 OFFSET ?)',
      MAX_PLANS,
    );
  });
}

/** A small named value: a self-test's outcome and the like. */
export function getValue(store: Store, name: string): string | undefined {
  return store.database.get<{ value: string }>('SELECT value FROM named_values WHERE name = ?', name)?.value;
}

/** Keeps a small named value; undefined removes it. */
export function putValue(store: Store, name: string, value: string | undefined): void {
  if (value === undefined) store.database.run('DELETE FROM named_values WHERE name = ?', name);
  else store.database.run('INSERT OR REPLACE INTO named_values (name, value) VALUES (?, ?)', name, value);
}
