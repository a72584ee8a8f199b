import { SlipwayError } from '../../errors/index.ts';
import {
  formatReference,
  type ImageReference,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import { findImage } from '../../store/find-image.ts';
import { noImage, tagImage } from '../../store/images.ts';
import { nameIndex } from '../../store/indexes.ts';
import { defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';

/** `slipway tag` */
export const tag = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  flags: {},
  args: { least: 2, most: 2 },
  flagsEndAtArgument: true,
  async run(context, { args }) {
    const [source, target] = args as [string, string];
    if (!/^[0-9a-f]{64}$/.test(source)) checkedReference(source);
    const name = targetName(target);
    withExistingStore(context.root, (store) => {
      if (store === undefined) throw noImage(source);
      const { image, index } = findImage(store, source);
      tagImage(store, name, image.id);
      if (index !== undefined) nameIndex(store, name, index.id);
    });
    return 0;
  },
});

/** The full name that an image can be given, in Docker's words where it cannot. */
function targetName(text: string): string {
  const reference = withDefaultTag(checkedReference(text));
  if (reference.digest === undefined) return formatReference(reference);
  throw new SlipwayError('usage', 'refusing to create a tag with a digest reference', {
    code: 'TAG_WITH_DIGEST',
  });
}

function checkedReference(text: string): ImageReference {
  try {
    return parseReference(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SlipwayError(
      'usage',
      `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${why}`,
      { code: 'REFERENCE_INVALID', cause: error },
    );
  }
}
