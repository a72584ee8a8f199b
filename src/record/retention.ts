import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors/index.ts';
import type { Store } from '../store/store.ts';
import { buildsPath, parseBuildFolder } from './layout.ts';

/** Builds that are listed; the last one is, however old it is. */
const MAX_BUILDS = 100;
const MAX_AGE_MS = 30 * 24 * 3_600_000;

/** So many more than `MAX_BUILDS` there may be before they are looked through. */
const SLACK = 10;

/** Whether `tidyBuilds` would have something to do. Reads the names of one folder. */
export function buildsAreDue(root: string): boolean {
  const builds = listed(root);
  const oldest = builds[0];
  return (
    builds.length > MAX_BUILDS + SLACK ||
    (builds.length > 1 && oldest !== undefined && oldest.started < Date.now() - MAX_AGE_MS)
  );
}

/**
 * Keeps the records of a store bounded: the newest are listed. Of an older one the log and key parts stay while the
 * cache holds a result that it made, so that a cached step can still show them.
 */
export function tidyBuilds(store: Store): void {
  const { root } = store;
  const builds = listed(root);
  const oldest = Date.now() - MAX_AGE_MS;
  const surplus = builds.slice(0, -1).filter(({ started }, index) => {
    return started < oldest || index < builds.length - MAX_BUILDS;
  });
  const rows = store.database.all<{ build_id: string }>('SELECT DISTINCT build_id FROM steps');
  const needed = new Set(rows.map((row) => row.build_id));
  for (const { id, name } of surplus) {
    if (needed.has(id)) rename(root, name, `${name}.kept`);
    else removeFolder(root, name);
  }
  for (const name of names(root)) {
    const parsed = parseBuildFolder(name);
    if (name.endsWith('.gone') || (parsed?.kept && !needed.has(parsed.id))) removeFolder(root, name);
  }
}

/** Deletes the records of builds, logs and all. Ids that are not there are passed over. */
export function removeBuilds(root: string, ids: readonly string[]): void {
  for (const name of names(root)) {
    const parsed = parseBuildFolder(name);
    if (parsed && ids.includes(parsed.id)) removeFolder(root, name);
  }
}

/** First another name, so that a kill in between leaves nothing that looks like a record. */
function removeFolder(root: string, name: string): void {
  const gone = name.endsWith('.gone') ? name : `${name}.gone`;
  if (gone !== name && !rename(root, name, gone)) return;
  rmSync(join(buildsPath(root), gone), { recursive: true, force: true });
}

function rename(root: string, from: string, to: string): boolean {
  try {
    renameSync(join(buildsPath(root), from), join(buildsPath(root), to));
    return true;
  } catch (error) {
    // Another process is at the same.
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTEMPTY') || isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/** The oldest first. */
function listed(root: string): { name: string; id: string; started: number }[] {
  return names(root).flatMap((name) => {
    const parsed = parseBuildFolder(name);
    return parsed && !parsed.kept ? [{ name, ...parsed }] : [];
  });
}

function names(root: string): string[] {
  try {
    return readdirSync(buildsPath(root)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
