import { registerLayer } from '../export/register.ts';
import type { UnpackedLayer } from '../export/unpack-blob.ts';
import { buildImageConfig } from '../image/build-config.ts';
import { localPlatform } from '../image/platform.ts';
import { normalizeReference } from '../image/reference.ts';
import { formatTime, nowNs } from '../image/time.ts';
import type { ContainerConfig, Digest, Platform } from '../image/types.ts';
import { putImage } from '../store/images.ts';
import { allocateLayer } from '../store/layers.ts';
import { inputOf } from './load.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface ImportOptions extends StoreOptions {
  /** Path of a tar of a root file system, compressed or not; `-` reads standard input. */
  source: string;
  /** `name[:tag]`; undefined leaves the image without a name. */
  reference?: string | undefined;
  platform?: Platform | undefined;
  /** Comment in the history. */
  message?: string;
  /** Configuration of the image. */
  config?: ContainerConfig;
}

/** Makes an image of a root file system: one layer, as `docker import` does. Gives its id. */
export function importImage(options: ImportOptions): Promise<Digest> {
  const { source, reference, platform = localPlatform(), signal } = options;
  const tags = reference === undefined ? [] : [normalizeReference(reference)];
  return withSession({ ...options, inheritStdio: source === '-' }, async (store, session) => {
    const lease = session.lease();
    const { client } = await session.worker();
    const request = { input: inputOf(source), id: allocateLayer(store, lease) };
    const unpacked = await client.call<UnpackedLayer>('import', request, signal ? { signal } : {});
    const layer = registerLayer(store, lease, unpacked);
    const now = nowNs();
    const comment = options.message || `Imported from ${/^https?:/.test(source) ? source : '-'}`;
    const config = buildImageConfig({
      platform,
      config: options.config ?? {},
      history: [{ created: formatTime(now), comment }],
      diffIds: [layer.diffId],
      nowNs: now,
    });
    return putImage(store, { config: config.bytes, tags }).id;
  });
}
