import { cacheSize } from '../store/gc/cache-entries.ts';
import { chooseEntries } from '../store/gc/choose.ts';
import { dropEntries, dropOldMemory } from '../store/gc/drop.ts';
import { allowedBytes, type GcRule } from '../store/gc/policy.ts';
import { getValue, putValue } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { gcRules } from './gc-settings.ts';
import { diskOf, measuredEntries } from './measure-entries.ts';
import { dropMounts, mergeEntries, mountEntries } from './mount-entries.ts';
import type { StoreSession } from './session.ts';

/** Somebody waits for the command to end: so long may measuring and so long may deleting take. */
const MEASURE_MS = 300;
const DELETE_MS = 1000;

/** Rules by age alone are looked at so often; those by size at the end of every build that ran something. */
const AGE_EVERY_MS = 3_600_000;
const LAST_LOOK = 'gc looked';

/**
 * Cleans up at the end of a build where a rule asks for it. What the build itself used is held and stays. Directories
 * are deleted when the session closes, for a second at most; the next session goes on with what is left.
 *
 * @throws SlipwayError `invalid` for settings that cannot be read
 */
export async function collectWhenDue(
  store: Store,
  session: StoreSession,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const rules = gcRules(store.root, env);
  if (!rules.some((rule) => isDue(store, rule))) return;
  const layers = await measuredEntries(store, session, { limitMs: MEASURE_MS });
  const mounts = rules.some(namesMounts) ? await mountEntries(store, session, undefined) : [];
  const now = Date.now();
  const chosen = chooseEntries(mergeEntries(layers, mounts), rules, { disk: diskOf(store), now });
  dropEntries(
    store,
    chosen.filter((entry) => entry.type === 'regular'),
  );
  const chosenMounts = chosen.filter((entry) => entry.type === 'exec.cachemount');
  if (chosenMounts.length > 0) await dropMounts(session, chosenMounts);
  dropOldMemory(store, now);
  putValue(store, LAST_LOOK, String(now));
  session.limitDeletion(DELETE_MS);
}

/**
 * Cache mounts save time that results do not, and to measure them means to look at each file: only a rule that asks
 * for them by name has them looked at.
 */
function namesMounts({ filters = [] }: GcRule): boolean {
  return filters.some((filter) => filter.includes('cachemount') || filter === 'mutable');
}

function isDue(store: Store, rule: GcRule): boolean {
  if (namesMounts(rule)) return Date.now() - Number(getValue(store, LAST_LOOK) ?? 0) > AGE_EVERY_MS;
  const used = cacheSize(store);
  const allowed = allowedBytes(rule, used, diskOf(store));
  if (allowed !== undefined && rule.keepDurationMs === undefined) return used > allowed;
  if (allowed !== undefined && used <= allowed) return false;
  return Date.now() - Number(getValue(store, LAST_LOOK) ?? 0) > AGE_EVERY_MS;
}
