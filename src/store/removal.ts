import { SlipwayError } from '../errors/index.ts';
import { buildIndex } from '../image/build-manifest.ts';
import { chainIds } from '../image/digest.ts';
import { parseIndex } from '../image/parse-manifest.ts';
import { samePlatform } from '../image/platform.ts';
import { familiarReference, parseReference } from '../image/reference.ts';
import type { Digest, Platform } from '../image/types.ts';
import { findImage } from './find-image.ts';
import { forPlatforms } from './find-platform.ts';
import { markUnneededLayers } from './garbage.ts';
import { annotationsOf, putAnnotations, rememberAnnotations } from './image-annotations.ts';
import { type ImageRecord, imageById, imageChildren, imageDocuments, tagImage } from './images.ts';
import {
  dropIndex,
  type IndexRecord,
  indexesWith,
  indexOf,
  memberFor,
  nameIndex,
  putIndex,
} from './indexes.ts';
import type { LayerId } from './layout.ts';
import type { Store } from './store.ts';

/** What uses an image: a container. `running` cannot be overridden. */
export interface ImageUse {
  container: string;
  running: boolean;
}

export interface RemovalOptions {
  /** Remove all names, and an image that a stopped container uses. */
  force?: boolean;
  /** Remove parents that nothing needs any more. Default true. */
  prune?: boolean;
  /** Containers of an image. */
  usesOf?: (id: Digest) => readonly ImageUse[];
}

/** One line of `rmi`, in order. */
export type RemovalLine = { untagged: string } | { deleted: Digest };

export interface Removal {
  lines: RemovalLine[];
  /** Layers that nothing needs any more. Their directories are to be deleted, see `collectGarbage`. */
  layers: LayerId[];
}

/**
 * Removes a name, or an image with all its names, by Docker's rules: a name of several takes only that name away;
 * the last name, or an id, takes the image along; a conflict changes nothing.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `AMBIGUOUS_ID`, `IMAGE_IN_USE` with Docker's texts.
 */
export function removeImage(store: Store, text: string, options: RemovalOptions = {}): Removal {
  return store.database.transaction(() => {
    const { image, name, index } = findImage(store, text);
    const removal: Removal = { lines: [], layers: [] };
    if (index !== undefined) {
      removeIndex(store, { index, name, image }, options, removal);
      return removal;
    }
    if (name !== undefined) {
      removeName(store, image, name, options, removal);
      if (namesOf(imageById(store, image.id)!).length > 0) return removal;
      // Without its last name an image with children becomes an intermediate one.
      if (imageChildren(store, image.id).length > 0) return removal;
    } else if (!isSingleReference(image) && options.force !== true) {
      throw conflict(image.id, true, 'image is referenced in multiple repositories');
    }
    deleteImage(store, image.id, options, removal);
    return removal;
  });
}

/**
 * Removes of an image for several platforms those for some; what is left keeps the names.
 *
 * @throws SlipwayError `conflict` IMAGE_IN_USE without force, those of `forPlatforms` and `removeImage`
 */
export function removePlatforms(
  store: Store,
  text: string,
  options: RemovalOptions & { platforms: readonly Platform[] },
): Removal {
  const { platforms } = options;
  return store.database.transaction(() => {
    const found = findImage(store, text);
    forPlatforms(store, { text, found }, platforms);
    const isGoing = (one: Platform): boolean => platforms.some((platform) => samePlatform(platform, one));
    const { index } = found;
    if (options.force !== true)
      throw new SlipwayError(
        'conflict',
        'Content will be removed from all images referencing this variant. Use --force to force delete.',
        { code: 'IMAGE_IN_USE' },
      );
    const left = index?.members.filter(({ platform }) => !isGoing(platform)) ?? [];
    if (index === undefined || left.length === 0) return removeImage(store, text, options);
    const removal: Removal = { lines: [], layers: [] };
    for (const name of index.names.filter((one) => one.includes('@'))) untag(store, name, removal);
    narrowIndex(store, index, left);
    for (const { image } of index.members) {
      const member = imageById(store, image)!;
      if (left.some((one) => one.image === image) || indexesWith(store, image).length > 0) continue;
      if (!isNeeded(store, member, options)) dropImage(store, member, removal);
    }
    return removal;
  });
}

/** Replaces an index by one of some of its members, or by the only one, under the same tags. */
function narrowIndex(store: Store, index: IndexRecord, members: IndexRecord['members']): void {
  const { manifests, annotations } = parseIndex(index.document);
  const kept = manifests.filter((_, position) => members.includes(index.members[position]!));
  const tags = index.names.filter((name) => !name.includes('@'));
  const { bytes } = buildIndex(kept, annotations && { annotations });
  const remembered = annotationsOf(store, index.id);
  putAnnotations(store, index.id, undefined);
  dropIndex(store, index.id);
  const { image } = memberFor({ members });
  for (const tag of tags) tagImage(store, tag, image);
  if (members.length === 1) return;
  const images = members.map((member) => member.image);
  const id = putIndex(store, bytes, images);
  rememberAnnotations(store, id, remembered);
  for (const tag of tags) nameIndex(store, tag, id);
}

/** As for one image: a name of several takes only that name away, the last one or the id all images along. */
function removeIndex(
  store: Store,
  found: { index: IndexRecord; name: string | undefined; image: ImageRecord },
  options: RemovalOptions,
  removal: Removal,
): void {
  const { index, name, image } = found;
  const going = name === undefined ? index.names : [name];
  if (going.length > 1 && options.force !== true)
    throw conflict(index.id, true, 'image is referenced in multiple repositories');
  for (const one of going) untag(store, one, removal);
  const ids = new Set([image.id, ...index.members.map((member) => member.image)]);
  // As with one image: with a repository's last tag go the names with digests there.
  for (const id of ids) {
    const { tags, digests } = imageById(store, id)!;
    const inUse = new Set(
      [...tags, ...index.names.filter((one) => !going.includes(one) && !one.includes('@'))].map(repositoryOf),
    );
    const gone = new Set(going.map(repositoryOf));
    for (const digest of digests) {
      const repository = repositoryOf(digest);
      if (gone.has(repository) && !inUse.has(repository)) untag(store, digest, removal);
    }
  }
  if (indexOf(store, index.id)!.names.length > 0) return;
  putAnnotations(store, index.id, undefined);
  dropIndex(store, index.id);
  removal.lines.push({ deleted: index.id });
  for (const id of ids) {
    const member = imageById(store, id)!;
    if (indexesWith(store, id).length === 0 && !isNeeded(store, member, options))
      dropImage(store, member, removal);
  }
}

/** Takes one name away, and with a repository's last tag its digest names too. */
function removeName(
  store: Store,
  image: ImageRecord,
  name: string,
  options: RemovalOptions,
  removal: Removal,
): void {
  if (namesOf(image).length === 1) checkUses(image, options);
  untag(store, name, removal);
  const repository = repositoryOf(name);
  const tagsLeft = image.tags.some((tag) => tag !== name && repositoryOf(tag) === repository);
  if (name.includes('@') || tagsLeft) return;
  const digests = image.digests.filter((digest) => repositoryOf(digest) === repository);
  // The image goes with its last names: look for what forbids that before the digest names are gone.
  if (digests.length > 0 && namesOf(image).length === digests.length + 1)
    checkConflicts(store, image, options);
  for (const digest of digests) untag(store, digest, removal);
}

function deleteImage(store: Store, id: Digest, options: RemovalOptions, removal: Removal): void {
  const image = imageById(store, id)!;
  checkConflicts(store, image, options);
  leaveIndexes(store, image, options, removal);
  for (const name of namesOf(image)) untag(store, name, removal);
  dropImage(store, image, removal);
  for (let parent = image.parent; options.prune !== false && parent !== undefined; ) {
    const above = imageById(store, parent);
    if (above === undefined || isNeeded(store, above, options)) return;
    dropImage(store, above, removal);
    parent = above.parent;
  }
}

/** An index goes with the first of its images: by force, unless nothing but its image names it. */
function leaveIndexes(store: Store, image: ImageRecord, options: RemovalOptions, removal: Removal): void {
  for (const { id, names } of indexesWith(store, image.id)) {
    if (names.length > 0 && options.force !== true)
      throw conflict(image.id, true, `image is part of ${familiarReference(parseReference(names[0]!))}`);
    for (const name of names) untag(store, name, removal);
    dropIndex(store, id);
    removal.lines.push({ deleted: id });
  }
}

function isNeeded(store: Store, image: ImageRecord, options: RemovalOptions): boolean {
  return (
    namesOf(image).length > 0 ||
    imageChildren(store, image.id).length > 0 ||
    useThatForbids(image, { ...options, force: false }) !== undefined
  );
}

function dropImage(store: Store, image: ImageRecord, removal: Removal): void {
  const diffIds = imageDocuments(store, image.id)!.parsed.rootfs.diff_ids;
  store.database.run('DELETE FROM images WHERE id = ?', image.id);
  putAnnotations(store, image.id, undefined);
  removal.lines.push({ deleted: image.id });
  const gone = markUnneededLayers(store);
  const chains = chainIds(diffIds);
  for (const [i, diffId] of [...diffIds.entries()].reverse()) {
    if (gone.some((layer) => layer.diffId === diffId)) removal.lines.push({ deleted: chains[i]! });
  }
  removal.layers.push(...gone.map((layer) => layer.id));
}

function untag(store: Store, name: string, removal: Removal): void {
  const table = name.includes('@') ? 'image_digests' : 'tags';
  store.database.run(`DELETE FROM ${table} WHERE name = ?`, name);
  store.database.run('DELETE FROM index_names WHERE name = ?', name);
  removal.lines.push({ untagged: familiarReference(parseReference(name)) });
}

function checkConflicts(store: Store, image: ImageRecord, options: RemovalOptions): void {
  if (imageChildren(store, image.id).length > 0) {
    throw conflict(image.id, false, 'image has dependent child images');
  }
  checkUses(image, options);
}

function checkUses(image: ImageRecord, options: RemovalOptions): void {
  const use = useThatForbids(image, options);
  if (use === undefined) return;
  const kind = use.running ? 'running' : 'stopped';
  const why = `image is being used by ${kind} container ${use.container.slice(0, 12)}`;
  throw conflict(image.id, !use.running, why);
}

function useThatForbids(image: ImageRecord, options: RemovalOptions): ImageUse | undefined {
  const uses = options.usesOf?.(image.id) ?? [];
  return uses.find((use) => use.running) ?? (options.force === true ? undefined : uses[0]);
}

/** Docker's rule for deleting by id: at most one tag, and digests only of the same repository. */
function isSingleReference(image: ImageRecord): boolean {
  const repositories = new Set(namesOf(image).map(repositoryOf));
  return image.tags.length <= 1 && repositories.size <= 1;
}

function namesOf(image: ImageRecord): string[] {
  return [...image.tags, ...image.digests];
}

function repositoryOf(name: string): string {
  const { domain, path } = parseReference(name);
  return `${domain}/${path}`;
}

function conflict(id: Digest, forcible: boolean, why: string): SlipwayError {
  const short = id.slice('sha256:'.length, 'sha256:'.length + 12);
  const words = forcible ? 'must be forced' : 'cannot be forced';
  return new SlipwayError('conflict', `conflict: unable to delete ${short} (${words}) - ${why}`, {
    code: 'IMAGE_IN_USE',
    hint: forcible ? 'Use -f to remove it anyway.' : undefined,
  });
}
