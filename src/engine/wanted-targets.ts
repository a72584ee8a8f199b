import { normalizeReference } from '../image/reference.ts';
import type { BuildOptions } from './options.ts';
import type { BuildOutput } from './output-options.ts';

/** A stage that a build is asked for. */
export interface WantedTarget {
  /** Undefined for the last one of the file. */
  stage: string | undefined;
  /** Normalised. */
  tags: string[];
  outputs: readonly BuildOutput[];
}

/** The stages that a build is asked for, each once, in the order in which they were first named. At least one. */
export function wantedTargets(options: BuildOptions): WantedTarget[] {
  const { target, targets = [], tags = [], outputs = [] } = options;
  const asked = targets.length > 0 ? targets : [{ stage: target || undefined, tags, outputs }];
  const byName = new Map<string, WantedTarget>();
  for (const { stage, tags = [], outputs = [] } of asked) {
    const name = stage?.toLowerCase() ?? '';
    const known = byName.get(name);
    byName.set(name, {
      stage,
      tags: [...new Set([...(known?.tags ?? []), ...tags.map(normalizeReference)])],
      outputs: [...(known?.outputs ?? []), ...outputs],
    });
  }
  return [...byName.values()];
}
