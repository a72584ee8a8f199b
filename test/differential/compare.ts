import type { Case, Ignored, Recording } from './cases.ts';
import { changesOf, type Listing, type ListingChange, listFiles } from './listing.ts';
import { type ArchivedImage, type ComparedConfig, comparedConfig } from './read-image.ts';

/** What is compared of an image. */
export type Compared = ListingChange & {
  /** The name of the base that the changes are to. */
  base?: string;
  image: ComparedConfig;
};

/** What the comparison is told. */
export interface Rules {
  bases: Recording['bases'];
  ignored: readonly Ignored[];
}

/**
 * Boils an image down to what is recorded and compared. Files are shown as changes of the base whose layer is the
 * image's first; of an image on no base, all are shown.
 */
export function compared(image: ArchivedImage, bases: Recording['bases']): Compared {
  const [first] = image.layers;
  const bottom = first === undefined ? {} : listFiles([first]);
  const base = Object.keys(bases).find((name) => sameListing(bases[name]!.files, bottom));
  const files = base === undefined ? {} : bases[base]!.files;
  return {
    ...(base === undefined ? {} : { base }),
    image: comparedConfig(image),
    ...changesOf(listFiles(image.layers), files),
  };
}

/** Takes out what the list of ignored paths names for a case. Entries whose time does not count are always listed. */
export function withoutIgnored(change: Compared, one: Case, { bases, ignored }: Rules): Compared {
  const rules = ignored
    .filter(({ cases }) => cases === undefined || cases.includes(one.name))
    .map((rule) => ({ ...rule, pattern: new RegExp(`^(?:${rule.path})$`, 'u') }));
  const files = change.base === undefined ? {} : bases[change.base]!.files;
  const timeless = Object.entries(files).filter(
    ([path]) =>
      !change.removed.includes(path) &&
      rules.some(({ what, pattern }) => what === 'time' && pattern.test(path)),
  );
  const root: Listing = {};
  for (const [path, line] of Object.entries({ ...Object.fromEntries(timeless), ...change.root })) {
    const rule = rules.find(({ pattern }) => pattern.test(path));
    if (rule?.what === 'entry') continue;
    root[path] = rule === undefined ? line : line.replace(/ (?:now|\d+)(?= \S+=|$)/, '');
  }
  const removed = change.removed.filter(
    (path) => !rules.some(({ what, pattern }) => what === 'entry' && pattern.test(path)),
  );
  return { ...change, root, removed };
}

function sameListing(a: Listing, b: Listing): boolean {
  const paths = Object.keys(a);
  return paths.length === Object.keys(b).length && paths.every((path) => a[path] === b[path]);
}
