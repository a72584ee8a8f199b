import { type LoadRequest, loadArchive } from '../../src/export/load.ts';
import { registerLoaded } from '../../src/export/register.ts';
import { abandonLayer, allocateLayer, holdLayerByDiffId } from '../../src/store/layers.ts';
import type { LeaseId } from '../../src/store/layout.ts';
import type { Store } from '../../src/store/store.ts';

/** Loads an archive as the front and the worker do it together. */
export async function load(
  store: Store,
  lease: LeaseId,
  request: Omit<LoadRequest, 'root' | 'lease'>,
): Promise<{ id: string; names: string[] }[]> {
  const handedOut: string[] = [];
  try {
    const loaded = await loadArchive({ ...request, root: store.root, lease }, async (diffId) => {
      const present = holdLayerByDiffId(store, lease, diffId);
      if (present !== undefined) return { present: present.stack };
      const id = allocateLayer(store, lease);
      handedOut.push(id);
      return { id };
    });
    return registerLoaded(store, lease, loaded).map(({ id, names }) => ({ id, names }));
  } catch (error) {
    for (const id of handedOut) abandonLayer(store, id);
    throw error;
  }
}
