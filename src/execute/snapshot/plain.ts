import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ActiveSnapshot } from './snapshotter.ts';

/**
 * A snapshot on nothing that is a directory and no mount: for layers that are stacked on other layers later
 * (`COPY --link`). Some kernels mark what is new in an overlay as opaque, which would hide what is below.
 *
 * `layers` holds one directory per layer; `active`, on the same file system, is the worker's own.
 */
export function plainSnapshot({ layers, active }: { layers: string; active: string }): ActiveSnapshot {
  const scratch = mkdtempSync(join(active, 'plain-'));
  const root = join(scratch, 'root');
  mkdirSync(root, { mode: 0o755 });
  return {
    root,
    scratch,
    direct: (path) => path,
    commit: (layer) => {
      renameSync(root, join(layers, layer));
      return { overrides: new Map(), hasChanged: () => false };
    },
    discard: () => rmSync(scratch, { recursive: true, force: true }),
  };
}
