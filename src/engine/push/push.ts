import { SlipwayError } from '../../errors/index.ts';
import {
  familiarName,
  familiarReference,
  formatReference,
  type ImageReference,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import { parseTransport } from '../../image/transport.ts';
import type { Descriptor, Digest, Platform } from '../../image/types.ts';
import type { LayerState } from '../../registry/push/push-image.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { type FoundImage, findImage } from '../../store/find-image.ts';
import { forPlatforms } from '../../store/find-platform.ts';
import { annotationsOf } from '../../store/image-annotations.ts';
import { imageByName, imageDocuments, imageLayers, namesOfRepository } from '../../store/images.ts';
import type { IndexRecord } from '../../store/indexes.ts';
import type { Store } from '../../store/store.ts';
import { openRegistries } from '../registry-access.ts';
import type { StoreSession } from '../session.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { pushTo } from './push-to.ts';

/** What happens during a push, in order; layers of one image at the same time. */
export type PushEvent =
  | { type: 'repository'; name: string }
  /** `layers`: diffIDs, bottom first. */
  | { type: 'image'; tag: string; layers: readonly Digest[] }
  | { type: 'layer'; index: number; state: LayerState }
  | { type: 'pushed'; tag: string; manifest: Descriptor };

export interface PushOptions extends StoreOptions {
  /** Name of the image with or without a tag. */
  image: string;
  /** All tags of the repository. */
  allTags?: boolean;
  /** Of an image for several platforms only this one's, which is then no part of an index. */
  platform?: Platform | undefined;
  /** Another place than the image's name says: `docker://NAME`, `oci:DIRECTORY:TAG`, … (`parseTransport`). */
  destination?: string | undefined;
  /** What relative paths are relative to. Default: the process's directory. */
  cwd?: string;
  onEvent?: (event: PushEvent) => void;
}

/** What a registry has now. */
export interface Pushed {
  /** Normalised. */
  name: string;
  manifest: Descriptor;
}

/**
 * Pushes an image of the store, or all of a repository, to where its name says.
 *
 * @throws SlipwayError `usage` PUSH_DIGEST, PUSH_ALL_TAGS; `not-found` PUSH_NO_IMAGE; those of the registry's client
 */
export async function push(options: PushOptions): Promise<Pushed[]> {
  if (options.destination !== undefined) return pushElsewhere(options, options.destination);
  const reference = pushable(options);
  const { env = process.env, signal, onEvent } = options;
  return withSession(options, async (store, session) => {
    onEvent?.({ type: 'repository', name: familiarName(reference) });
    const images = wanted(store, reference, options);
    const pool = openRegistries({ env, signal });
    try {
      const done: Pushed[] = [];
      for (const { id, name } of images) {
        const one = { ...findImage(store, name), id };
        const { image, index } = chosen(
          store,
          { text: familiarReference(parseReference(name)), found: one },
          options,
        );
        done.push({
          name,
          manifest: await pushOne({ id: image.id, index, name, store, session, pool, options, env }),
        });
      }
      return done;
    } finally {
      await pool.close();
    }
  });
}

async function pushElsewhere(options: PushOptions, destination: string): Promise<Pushed[]> {
  const to = parseTransport(destination) ?? { kind: 'registry', name: destination };
  const { env = process.env, signal, image, cwd = process.cwd() } = options;
  if (options.allTags === true)
    throw new SlipwayError('usage', '--all-tags does not go with a destination', { code: 'PUSH_ALL_TAGS' });
  return withSession(options, async (store, session) => {
    const found = chosen(store, { text: image, found: findImage(store, image) }, options);
    if (to.kind !== 'registry') {
      const { pushToFile } = await import('./push-to-file.ts');
      const manifest = await pushToFile({ store, session, image: found, to, cwd, signal });
      if (manifest === undefined) return [];
      options.onEvent?.({ type: 'pushed', tag: destination, manifest });
      return [{ name: destination, manifest }];
    }
    const reference = pushable({ image: to.name });
    options.onEvent?.({ type: 'repository', name: familiarName(reference) });
    const pool = openRegistries({ env, signal });
    try {
      const name = formatReference(reference);
      const { image, index } = found;
      const manifest = await pushOne({ id: image.id, index, name, store, session, pool, options, env });
      return [{ name, manifest }];
    } finally {
      await pool.close();
    }
  });
}

function chosen(
  store: Store,
  asked: { text: string; found: FoundImage },
  { platform }: PushOptions,
): FoundImage {
  return forPlatforms(store, asked, platform && [platform]);
}

function pushable({ image, allTags = false }: PushOptions): ImageReference {
  const reference = parseReference(image);
  if (reference.digest !== undefined)
    throw new SlipwayError('usage', 'cannot push a digest reference', { code: 'PUSH_DIGEST' });
  if (!allTags) return withDefaultTag(reference);
  if (reference.tag === undefined) return reference;
  throw new SlipwayError('usage', "tag can't be used with --all-tags/-a", { code: 'PUSH_ALL_TAGS' });
}

function wanted(
  store: Store,
  reference: ImageReference,
  { allTags }: PushOptions,
): { id: Digest; name: string }[] {
  const name = formatReference(reference);
  if (allTags !== true) {
    const image = imageByName(store, name);
    if (image !== undefined) return [{ id: image.id, name }];
    const { tag: _, ...repository } = reference;
    if (namesOfRepository(store, formatReference(repository)).length === 0) throw noSuchImage(reference);
    throw new SlipwayError('not-found', `tag does not exist: ${familiarReference(reference)}`, {
      code: 'PUSH_NO_IMAGE',
    });
  }
  const found = namesOfRepository(store, name).map(({ name: tag, image: id }) => ({ id, name: tag }));
  if (found.length === 0) throw noSuchImage(reference);
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function pushOne(request: {
  id: Digest;
  /** The index that is pushed in place of the image. */
  index: IndexRecord | undefined;
  name: string;
  store: Store;
  session: StoreSession;
  pool: RegistryPool;
  options: PushOptions;
  env: NodeJS.ProcessEnv;
}): Promise<Descriptor> {
  const { id, index, name, store, session, pool, options, env } = request;
  const { signal, onEvent } = options;
  const { domain, path, tag } = parseReference(name) as ImageReference & { tag: string };
  const members = (index?.members ?? [{ image: id, platform: undefined }]).map(({ image, platform }) => {
    const { config, manifest: original } = imageDocuments(store, image)!;
    const layers = imageLayers(store, image);
    return { platform, config, original, layers, annotations: annotationsOf(store, image) };
  });
  // What several images share is told of once.
  const diffIds = [...new Set(members.flatMap(({ layers }) => layers.map(({ diffId }) => diffId)))];
  onEvent?.({ type: 'image', tag, layers: diffIds });
  const settled = new Set<number>();
  const onLayer = (member: number, layer: number, state: LayerState): void => {
    const position = diffIds.indexOf(members[member]!.layers[layer]!.diffId);
    if (settled.has(position)) return;
    if (['pushed', 'exists', 'mounted'].includes(state.state)) settled.add(position);
    onEvent?.({ type: 'layer', index: position, state });
  };
  const to = { store, session, pool, env, registry: domain, repository: path, tags: [tag], signal };
  let manifest: Descriptor;
  if (index === undefined) {
    const [image] = members;
    manifest = await pushTo({ ...to, ...image!, onLayer: (layer, state) => onLayer(0, layer, state) });
  } else {
    const { pushIndex } = await import('./push-index.ts');
    manifest = await pushIndex({
      ...to,
      members: members.map((member) => ({ ...member, platform: member.platform! })),
      annotations: annotationsOf(store, index.id)?.index,
      stored: index,
      onLayer,
    });
  }
  onEvent?.({ type: 'pushed', tag, manifest });
  return manifest;
}

function noSuchImage(reference: ImageReference): SlipwayError {
  return new SlipwayError(
    'not-found',
    `An image does not exist locally with the tag: ${familiarName(reference)}`,
    { code: 'PUSH_NO_IMAGE' },
  );
}
