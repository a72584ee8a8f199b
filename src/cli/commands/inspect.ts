import { SlipwayError } from '../../errors/index.ts';
import { inspectImage } from '../../image/inspect.ts';
import { familiarReference, parseReference } from '../../image/reference.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { lookUp } from '../../store/find-image.ts';
import { imageDocuments, imageLayers } from '../../store/images.ts';
import { layerDirectory } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';

/** `slipway inspect` */
export const inspect = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  flags: {},
  args: { least: 1 },
  run: async (context, { args }) => printAll(context, args, (name) => `No such object: ${name}`),
});

/** `slipway image inspect` */
export const imageInspect = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: {},
  args: { least: 1 },
  run: async (context, { args }) => printAll(context, args, (name) => `No such image: ${name}`),
});

/** What is there goes to standard output as one array, even an empty one; what is not is said after it. */
function printAll(context: CommandContext, names: string[], missing: (name: string) => string): number {
  const problems: string[] = [];
  const documents = withExistingStore(context.root, (store) =>
    names.flatMap((name) => {
      try {
        const document = store && describe(store, name);
        if (document === undefined) problems.push(missing(name));
        return document ?? [];
      } catch (error) {
        if (!(error instanceof SlipwayError) || error.kind === 'corrupt') throw error;
        problems.push(error.message);
        return [];
      }
    }),
  );
  context.stdout.write(`${safeJson(documents, 4)}\n`);
  if (problems.length === 0) return 0;
  throw new SlipwayError('not-found', problems.join('\nError: '), { code: 'OBJECT_NOT_FOUND' });
}

function describe(store: Store, name: string): Record<string, unknown> | undefined {
  const image = lookUp(store, name)?.image;
  if (image === undefined) return undefined;
  const familiar = (text: string) => familiarReference(parseReference(text));
  const layers = imageLayers(store, image.id);
  return inspectImage(imageDocuments(store, image.id)!.parsed, {
    id: image.id,
    repoTags: image.tags.map(familiar),
    repoDigests: image.digests.map(familiar),
    ...(image.parent === undefined ? {} : { parent: image.parent }),
    size: image.size,
    ...(image.taggedMs === undefined ? {} : { lastTagTime: new Date(image.taggedMs).toISOString() }),
    layerDirectories: layers
      .flatMap((layer) => layer.stack)
      .map((id) => layerDirectory(store.root, id))
      .reverse(),
  });
}
