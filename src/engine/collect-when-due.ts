import { cacheSize } from '../store/gc/cache-entries.ts';
import { chooseEntries } from '../store/gc/choose.ts';
import { dropEntries, dropOldMemory } from '../store/gc/drop.ts';
import { allowedBytes, type GcRule } from '../store/gc/policy.ts';
import { getValue, putValue } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { gcRules } from './gc-settings.ts';
import { diskOf, measuredEntries } from './measure-entries.ts';
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
  const entries = await measuredEntries(store, session, { limitMs: MEASURE_MS });
  const now = Date.now();
  dropEntries(store, chooseEntries(entries, rules, { disk: diskOf(store), now }));
  dropOldMemory(store, now);
  putValue(store, LAST_LOOK, String(now));
  session.limitDeletion(DELETE_MS);
}

function isDue(store: Store, rule: GcRule): boolean {
  const used = cacheSize(store);
  const allowed = allowedBytes(rule, used, diskOf(store));
  if (allowed !== undefined && rule.keepDurationMs === undefined) return used > allowed;
  if (allowed !== undefined && used <= allowed) return false;
  return Date.now() - Number(getValue(store, LAST_LOOK) ?? 0) > AGE_EVERY_MS;
}
