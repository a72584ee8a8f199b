import { checkFilters, IMAGE_FILTERS, selectImages } from '../../engine/filter-images.ts';
import { familiarName, parseReference } from '../../image/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import { defineCommand } from '../command.ts';
import { filterFlag, parseFilters } from '../filters.ts';
import { withExistingStore } from '../open-existing.ts';
import { imageColumns } from '../render/image-columns.ts';
import { imageLines, type ListedImage, shortId } from '../render/image-list.ts';
import { formatFlag, formatList } from '../render/list-format.ts';

/** `slipway images` */
export const images = defineCommand({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  flags: {
    all: { type: 'bool', short: 'a', usage: 'Show all images (default hides intermediate images)' },
    digests: { type: 'bool', usage: 'Show digests' },
    ...filterFlag,
    ...formatFlag,
    'no-trunc': { type: 'bool', usage: "Don't truncate output" },
    quiet: { type: 'bool', short: 'q', usage: 'Only show image IDs' },
  },
  args: { least: 0, most: 1 },
  async run(context, { values, args }) {
    const { digests, quiet, all, format, 'no-trunc': noTrunc } = values;
    const filters = new Map(parseFilters(values.filter, IMAGE_FILTERS));
    if (args[0] !== undefined) filters.set('reference', [...(filters.get('reference') ?? []), args[0]]);
    const now = Date.now();
    const records = withExistingStore(context.root, (store) =>
      store === undefined ? checkFilters({ filters, now }) : selectImages(store, { all, filters, now }),
    );
    const withDigests = digests || format.includes('.Digest');
    const lines = imageLines((records ?? []).map(listed), withDigests);
    if (quiet && (format === '' || format === 'table')) {
      context.stdout.write(lines.map(({ image: { id } }) => `${noTrunc ? id : shortId(id)}\n`).join(''));
      return 0;
    }
    const kind = imageColumns({ noTrunc, digests, now });
    context.stdout.write(formatList(lines, format || 'table', kind));
    return 0;
  },
});

/** The image under the names that people write. */
function listed(image: ImageRecord): ListedImage {
  const tags = image.tags.map((name) => parseReference(name));
  const digests = image.digests.map((name) => parseReference(name));
  return {
    id: image.id,
    tags: tags.map((name) => ({ repository: familiarName(name), tag: name.tag ?? '' })),
    digests: digests.map((name) => ({ repository: familiarName(name), digest: name.digest ?? '' })),
    created: image.created,
    size: image.size,
  };
}
