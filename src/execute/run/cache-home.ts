import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Says which mount a cache directory belongs to: its folder is named by a digest. */
const NAME_FILE = 'mount.json';

/** The folder of a cache mount's directories (`0`, `1`, …) and of their locks (`0.lock`). */
export function cacheHome(caches: string, id: string): string {
  return join(caches, createHash('sha256').update(id).digest('hex'));
}

/** Writes down the id, once. */
export function nameCache(home: string, id: string): void {
  const file = join(home, NAME_FILE);
  if (existsSync(file)) return;
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, JSON.stringify({ id, createdMs: Date.now() }), { mode: 0o600 });
  renameSync(fresh, file);
}

/** Id of the mount and when its cache was made; undefined where that was never written down. */
export function cacheName(home: string): { id: string; createdMs: number } | undefined {
  try {
    const { id, createdMs } = JSON.parse(readFileSync(join(home, NAME_FILE), 'utf8')) as Record<
      string,
      unknown
    >;
    return typeof id === 'string' && typeof createdMs === 'number' ? { id, createdMs } : undefined;
  } catch {
    return undefined;
  }
}

export function nameFile(home: string): string {
  return join(home, NAME_FILE);
}
