import { familiarName, familiarReference, parseReference } from '../../image/reference.ts';
import { type ImageRecord, listImages } from '../../store/images.ts';
import { defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';
import { matchesPattern } from '../path-pattern.ts';
import { type ListedImage, renderImageList } from '../render/image-list.ts';

/** `slipway images` */
export const images = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  flags: {
    all: { type: 'bool', short: 'a', usage: 'Show all images (default hides intermediate images)' },
    digests: { type: 'bool', usage: 'Show digests' },
    'no-trunc': { type: 'bool', usage: "Don't truncate output" },
    quiet: { type: 'bool', short: 'q', usage: 'Only show image IDs' },
  },
  args: { least: 0, most: 1 },
  async run(context, { values, args }) {
    const records = withExistingStore(context.root, (store) =>
      store === undefined ? [] : listImages(store),
    );
    const parents = new Set(records.map(({ parent }) => parent));
    const shown = records
      .filter((image) => values.all || isNamed(image) || !parents.has(image.id))
      .flatMap((image) => listed(image, args[0]) ?? []);
    const { digests, quiet, 'no-trunc': noTrunc } = values;
    context.stdout.write(renderImageList(shown, { digests, quiet, noTrunc, now: Date.now() }));
    return 0;
  },
});

function isNamed(image: ImageRecord): boolean {
  return image.tags.length + image.digests.length > 0;
}

/** The image with those of its names that fit `pattern`; undefined when none does. */
function listed(image: ImageRecord, pattern: string | undefined): ListedImage | undefined {
  const fits = (name: string) => pattern === undefined || nameFits(name, pattern);
  const tags = image.tags.filter(fits).map((name) => parseReference(name));
  const digests = image.digests.filter(fits).map((name) => parseReference(name));
  if (pattern !== undefined && tags.length + digests.length === 0) return undefined;
  return {
    id: image.id,
    tags: tags.map((name) => ({ repository: familiarName(name), tag: name.tag ?? '' })),
    digests: digests.map((name) => ({ repository: familiarName(name), digest: name.digest ?? '' })),
    created: image.created,
    size: image.size,
  };
}

/** Docker tries the pattern on the short name with and without its tag, and on the full one. */
function nameFits(name: string, pattern: string): boolean {
  const reference = parseReference(name);
  return [familiarReference(reference), familiarName(reference), name].some((text) =>
    matchesPattern(pattern, text),
  );
}
