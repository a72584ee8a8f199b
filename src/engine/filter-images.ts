import { SlipwayError } from '../errors/index.ts';
import { familiarName, familiarReference, parseReference } from '../image/reference.ts';
import { timeOrAge } from '../image/time-or-age.ts';
import { findImage } from '../store/find-image.ts';
import { type ImageRecord, imageDocuments, listImages, noImage } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import { matchesPattern } from './path-pattern.ts';

/** Names of the filters of `images`. */
export const IMAGE_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'] as const;

export interface ImageSelection {
  /** Intermediate images too. */
  all?: boolean;
  /** As `--filter` gives them: several of one name are alternatives for `reference`, all must hold for `label`. */
  filters?: ReadonlyMap<string, readonly string[]>;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * The images that a list shows, newest first. With a `reference` filter they have only the names that fit.
 *
 * @throws SlipwayError `FILTER_VALUE`, `IMAGE_NOT_FOUND`, `PATTERN_INVALID` with Docker's words.
 */
export function selectImages(store: Store, selection: ImageSelection): ImageRecord[] {
  const { all = false, filters = new Map(), now } = selection;
  const records = listImages(store);
  const parents = new Set(records.map(({ parent }) => parent));
  const isIntermediate = (image: ImageRecord): boolean =>
    !isNamed(image) && (parents.has(image.id) || image.indexed === true);
  const tests: ((image: ImageRecord) => boolean)[] = [];
  if (!all) tests.push((image) => !isIntermediate(image));
  const dangling = booleanFilter(filters.get('dangling'), 'dangling');
  if (dangling !== undefined) {
    tests.push((image) => (!isNamed(image) && !parents.has(image.id) && image.indexed !== true) === dangling);
  }
  for (const label of filters.get('label') ?? []) tests.push((image) => hasLabel(store, image, label));
  for (const name of filters.get('before') ?? []) {
    const time = createdOf(findImage(store, name).image);
    tests.push((image) => createdOf(image) < time);
  }
  for (const name of filters.get('since') ?? []) {
    const time = createdOf(findImage(store, name).image);
    tests.push((image) => createdOf(image) > time);
  }
  for (const value of filters.get('until') ?? []) {
    const time = timeOrAge(value, now);
    tests.push((image) => createdOf(image) < time);
  }
  const patterns = filters.get('reference');
  return records
    .filter((image) => tests.every((test) => test(image)))
    .flatMap((image) => (patterns === undefined ? [image] : withFittingNames(image, patterns)));
}

/**
 * Says of filters what `selectImages` would say of them in a store without images.
 *
 * @throws as `selectImages`
 */
export function checkFilters({ filters = new Map(), now }: ImageSelection): void {
  booleanFilter(filters.get('dangling'), 'dangling');
  for (const value of filters.get('until') ?? []) timeOrAge(value, now);
  for (const name of [...(filters.get('before') ?? []), ...(filters.get('since') ?? [])]) {
    parseReference(name);
    throw noImage(name);
  }
}

/**
 * A filter's one truth value.
 *
 * @throws SlipwayError `FILTER_VALUE`
 */
export function booleanFilter(values: readonly string[] | undefined, name: string): boolean | undefined {
  if (values === undefined) return undefined;
  const truths = new Set(values.map((value) => ['true', '1'].includes(value)));
  const known = values.every((value) => ['true', '1', 'false', '0'].includes(value));
  if (!known || truths.size !== 1) {
    throw new SlipwayError('usage', `invalid filter '${name}=[${values.toSorted().join(' ')}]'`, {
      code: 'FILTER_VALUE',
      hint: 'It is true or false.',
    });
  }
  return truths.has(true);
}

/** Whether an image has a label, `key` or `key=value`. */
export function hasLabel(store: Store, image: ImageRecord, label: string): boolean {
  const labels = imageDocuments(store, image.id)?.parsed.config.Labels ?? {};
  const equals = label.indexOf('=');
  const key = equals < 0 ? label : label.slice(0, equals);
  return Object.hasOwn(labels, key) && (equals < 0 || labels[key] === label.slice(equals + 1));
}

function isNamed(image: ImageRecord): boolean {
  return image.tags.length + image.digests.length > 0;
}

function createdOf(image: ImageRecord): number {
  const time = Date.parse(image.created);
  return Number.isNaN(time) ? 0 : time;
}

function withFittingNames(image: ImageRecord, patterns: readonly string[]): ImageRecord[] {
  const fits = (name: string): boolean => patterns.some((pattern) => nameFits(name, pattern));
  const tags = image.tags.filter(fits);
  const digests = image.digests.filter(fits);
  return tags.length + digests.length === 0 ? [] : [{ ...image, tags, digests }];
}

/** Docker tries the pattern on the short name with and without its tag, and on the full one. */
function nameFits(name: string, pattern: string): boolean {
  const reference = parseReference(name);
  return [familiarReference(reference), familiarName(reference), name].some((text) =>
    matchesPattern(pattern, text),
  );
}
