import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { LayoutSelect } from '../export/archive-image.ts';
import type { Input } from '../export/input.ts';
import type { LoadedArchive } from '../export/load.ts';
import { registerLoaded } from '../export/register.ts';
import { normalizeReference } from '../image/reference.ts';
import { parseTransport } from '../image/transport.ts';
import type { Digest, Platform } from '../image/types.ts';
import { allocateLayer, holdLayerByDiffId } from '../store/layers.ts';
import { type StoreOptions, withSession } from './with-session.ts';

export interface LoadOptions extends StoreOptions {
  /**
   * Path of the archive (or of an OCI layout), or one with its transport in front (`oci:DIRECTORY:TAG`); undefined
   * reads standard input.
   */
  input?: string | undefined;
  /** One image of the archive. */
  select?: LayoutSelect | undefined;
  /** Images get no names. Default: those of an OCI layout of which one was selected. */
  nameless?: boolean;
  /** Of an index only the image for this platform. */
  platform?: Platform | undefined;
  /** Only images for these platforms. Without either, images for several platforms stay what they are. */
  platforms?: readonly Platform[] | undefined;
}

/** An image that was loaded: its id and names, and the names that it took from other images. */
export interface Loaded {
  id: Digest;
  names: string[];
  moved: { name: string; from: Digest }[];
}

/**
 * Loads the images of an archive: what `docker save`, podman, skopeo or this program wrote, compressed or not. All
 * of it is verified before any of it has a name. Throws `invalid` for what is no image archive.
 */
export function load(options: LoadOptions): Promise<Loaded[]> {
  const { input, select, platform, platforms, signal } = fromTransport(options);
  return withSession({ ...options, inheritStdio: input === undefined }, async (store, session) => {
    const lease = session.lease();
    const choose = (diffId: Digest): { present: string[] } | { id: string } => {
      const known = holdLayerByDiffId(store, lease, diffId, { anywhere: true });
      return known === undefined ? { id: allocateLayer(store, lease) } : { present: known.stack };
    };
    const { client } = await session.worker();
    const loaded = await client.call<LoadedArchive>(
      'load',
      {
        ...inputOf(input),
        ...(select && { select }),
        ...(platform && { platform }),
        ...(platforms && { platforms }),
      },
      {
        onAsk: choose,
        ...(signal ? { signal } : {}),
      },
    );
    const { nameless = select !== undefined && select.docker !== true } = options;
    if (nameless) for (const image of [...loaded.images, ...loaded.indexes]) image.names = [];
    if (loaded.images.length === 0) throw nothingFound(options.input ?? '');
    return registerLoaded(store, lease, loaded);
  });
}

/** A file that is called so goes first. Throws `not-found` later, when there is no such image. */
function fromTransport(options: LoadOptions): LoadOptions {
  const { input } = options;
  if (input === undefined || existsSync(input)) return options;
  const from = parseTransport(input);
  if (from === undefined) return options;
  if (from.kind === 'registry')
    throw new SlipwayError('usage', `${input} is in a registry`, {
      code: 'TRANSPORT_INVALID',
      hint: `Write slipway pull ${from.name}.`,
    });
  const { kind, path, reference } = from;
  if (kind === 'docker-archive')
    return {
      ...options,
      input: path,
      select: { docker: true, ...(reference && { name: normalizeReference(reference) }) },
    };
  return { ...options, input: path, select: reference === undefined ? {} : { tag: reference } };
}

/** A file by its path, or the standard input that the worker has from this process. */
export function inputOf(path: string | undefined): Input {
  return path === undefined || path === '-'
    ? { kind: 'fd', fd: 0 }
    : { kind: 'file', path: resolve(path), name: path };
}

function nothingFound(input: string): SlipwayError {
  return new SlipwayError('not-found', `there is no such image in ${input}`, {
    code: 'ARCHIVE_IMAGE_NOT_FOUND',
    hint: 'Name another behind the path, or none to take what there is.',
  });
}
