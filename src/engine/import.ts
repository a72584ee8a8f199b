import { SlipwayError } from '../errors/index.ts';
import { redactUrl } from '../errors/redact-url.ts';
import { registerLayer } from '../export/register.ts';
import type { UnpackedLayer } from '../export/unpack-blob.ts';
import { buildImageConfig } from '../image/build-config.ts';
import { localPlatform } from '../image/platform.ts';
import { normalizeReference, parseReference } from '../image/reference.ts';
import { formatTime, nowNs } from '../image/time.ts';
import type { ContainerConfig, Digest, Platform } from '../image/types.ts';
import { putImage } from '../store/images.ts';
import { allocateLayer } from '../store/layers.ts';
import type { Store } from '../store/store.ts';
import { inputOf } from './load.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface ImportOptions extends StoreOptions {
  /**
   * Path or URL (https, http) of a tar of a root file system, compressed or not, or path of a directory; `-` reads
   * standard input.
   */
  source: string;
  /** Told of the bytes of a URL's content that have come, and how many there are, where that is known. */
  onDownload?: ((bytes: number, total?: number) => void) | undefined;
  /** `name[:tag]`; undefined leaves the image without a name. */
  reference?: string | undefined;
  platform?: Platform | undefined;
  /** Comment in the history. */
  message?: string;
  /** Dockerfile instructions for the configuration. */
  changes?: readonly string[];
}

/** Makes an image of a root file system: one layer, as `docker import` does. Gives its id. */
export function importImage(options: ImportOptions): Promise<Digest> {
  const { source, reference, platform = localPlatform(), signal } = options;
  if (platform.os !== 'linux') {
    throw new SlipwayError('unsupported', 'operating system is not supported', { code: 'OS_UNSUPPORTED' });
  }
  const tags = reference === undefined ? [] : [tagOf(reference)];
  return withSession({ ...options, inheritStdio: source === '-' }, async (store, session) => {
    const configuration = await configOf(options, platform);
    const lease = session.lease();
    const { client } = await session.worker();
    const file = await fileOf(options, store);
    let unpacked: UnpackedLayer;
    try {
      const request = { input: inputOf(file.path), id: allocateLayer(store, lease) };
      unpacked = await client.call<UnpackedLayer>('import', request, signal ? { signal } : {});
    } finally {
      file.release();
    }
    const layer = registerLayer(store, lease, unpacked);
    const now = nowNs();
    const comment = options.message || `Imported from ${isUrl(source) ? redactUrl(source) : '-'}`;
    const config = buildImageConfig({
      platform,
      config: configuration,
      history: [{ created: formatTime(now), comment }],
      diffIds: [layer.diffId],
      nowNs: now,
    });
    return putImage(store, { config: config.bytes, tags }).id;
  });
}

/** The full name that the image gets. */
function tagOf(text: string): string {
  if (parseReference(text).digest === undefined) return normalizeReference(text);
  throw new SlipwayError('usage', 'cannot import digest reference', { code: 'TAG_WITH_DIGEST' });
}

async function configOf({ changes = [] }: ImportOptions, platform: Platform): Promise<ContainerConfig> {
  if (changes.length === 0) return {};
  const { configOfChanges } = await import('./import-changes.ts');
  return configOfChanges(changes, platform);
}

/** Whether `import` fetches its source. */
export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** What is to be imported, on this machine. Errors as `openWebFile`. */
async function fileOf(
  { source, env = process.env, signal, onDownload }: ImportOptions,
  store: Store,
): Promise<{ path: string; release: () => void }> {
  if (!isUrl(source)) return { path: source, release: () => {} };
  const [{ openWebFile }, { plainAccess }] = await Promise.all([
    import('../context/web/web-file.ts'),
    import('./sources/plain-access.ts'),
  ]);
  const access = plainAccess({ store, env, signal });
  try {
    const report = { received: onDownload ?? (() => {}), ended: () => {} };
    const file = await openWebFile({ url: source }, { ...access, progress: () => report });
    return {
      path: file.path,
      release: () => {
        file.release();
        access.kept.close();
      },
    };
  } catch (error) {
    access.kept.close();
    throw error;
  }
}
