import type { Store } from './store.ts';

/** What a step needed when it last ran. */
export interface StepCost {
  durationMs: number;
  /** Bytes. */
  peakMemory?: number | undefined;
}

/** What the step of this name needed when it last ran. */
export function lastCost(store: Store, name: string): StepCost | undefined {
  const row = store.database.get<{ duration_ms: number; peak_memory: number | null }>(
    'SELECT duration_ms, peak_memory FROM costs WHERE name = ?',
    name,
  );
  return row && { durationMs: row.duration_ms, peakMemory: row.peak_memory ?? undefined };
}

/** Notes what a step needed. A measurement of memory is kept until there is another. */
export function putCost(store: Store, name: string, cost: StepCost): void {
  store.database.run(
    `INSERT INTO costs (name, duration_ms, peak_memory, used_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET duration_ms = excluded.duration_ms, used_ms = excluded.used_ms,
         peak_memory = coalesce(excluded.peak_memory, peak_memory)`,
    name,
    cost.durationMs,
    cost.peakMemory ?? null,
    Date.now(),
  );
}
