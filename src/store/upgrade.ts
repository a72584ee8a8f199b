import { SlipwayError } from '../errors/index.ts';
import { liveLeases } from './leases.ts';
import { STORE_FORMAT, UPGRADES } from './schema.ts';
import type { Store } from './store.ts';

/**
 * Brings the index of an older format to the present one, in one transaction: somebody else may do the same at the
 * same time, and the version in the index itself decides. Nobody may be at work: a program of an older version does
 * not know what the new tables keep alive.
 *
 * @throws SlipwayError `STORE_IN_USE`
 */
export function upgradeIndex(store: Store): void {
  store.database.transaction(() => {
    const { user_version: version } = store.database.get<{ user_version: number }>('PRAGMA user_version')!;
    if (version >= STORE_FORMAT) return;
    if (liveLeases(store).size > 0) throw inUse(store.root, version);
    for (let from = version; from < STORE_FORMAT; from++) store.database.execute(UPGRADES[from]!);
    store.database.execute(`PRAGMA user_version = ${STORE_FORMAT}`);
  });
}

function inUse(root: string, version: number): SlipwayError {
  return new SlipwayError(
    'conflict',
    `the store ${root} has the older format ${version} and is in use: try again when the other command has ended`,
    { code: 'STORE_IN_USE' },
  );
}
