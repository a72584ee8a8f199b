import { SlipwayError } from '../../errors/index.ts';
import { inspectImage } from '../../image/inspect.ts';
import { IMAGE_INSPECT } from '../../image/inspect-schema.ts';
import { OCI } from '../../image/media-types.ts';
import { parseIndex } from '../../image/parse-manifest.ts';
import { parsePlatform } from '../../image/platform.ts';
import { familiarReference, parseReference } from '../../image/reference.ts';
import type { Platform } from '../../image/types.ts';
import { safeJson, safeLines } from '../../progress/safe-text.ts';
import { lookUp } from '../../store/find-image.ts';
import { forPlatforms } from '../../store/find-platform.ts';
import { imageDocuments, imageLayers, noImage } from '../../store/images.ts';
import type { IndexRecord } from '../../store/indexes.ts';
import { layerDirectory } from '../../store/layout.ts';
import type { Store } from '../../store/store.ts';
import { formatDocument, parseFormat } from '../../template/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';
import { documentFormatFlag } from '../render/list-format.ts';

/** Exit code of a template that cannot be parsed, as Docker's. */
const EXIT_TEMPLATE = 64;

/** `slipway inspect` */
export const inspect = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  flags: {
    ...documentFormatFlag,
    size: { type: 'bool', short: 's', usage: 'Display total file sizes if the type is container' },
    type: { type: 'string', usage: 'Return JSON for specified type' },
  },
  args: { least: 1 },
  async run(context, { values, args }) {
    const kind = objectKind(values.type);
    return printAll(context, args, {
      format: values.format,
      missing: kind === 'image' ? missingImage : (name) => `No such ${kind}: ${name}`,
      anyKind: kind === 'object',
      find: kind === 'object' || kind === 'image' ? (store, name) => describe(store, name) : () => undefined,
    });
  },
});

/** `slipway image inspect` */
export const imageInspect = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  flags: {
    ...documentFormatFlag,
    platform: {
      type: 'string',
      usage:
        "Inspect a specific platform of the multi-platform image. If the image or the server is not multi-platform capable, the command will error out if the platform does not match. 'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    },
  },
  args: { least: 1 },
  async run(context, { values, args }) {
    const remote = await remoteImages(context, args);
    return printAll(context, args, {
      format: values.format,
      missing: missingImage,
      find: (store, name) =>
        describe(store, name, values.platform === '' ? undefined : parsePlatform(values.platform)),
      remote,
    });
  },
});

function missingImage(name: string): string {
  return noImage(name).message;
}

const TYPES = [
  'config',
  'container',
  'image',
  'network',
  'node',
  'plugin',
  'secret',
  'service',
  'task',
  'volume',
];

function objectKind(type: string): string {
  if (type === '') return 'object';
  if (TYPES.includes(type)) return type;
  throw new SlipwayError('usage', `"${type}" is not a valid value for --type`, { code: 'TYPE_INVALID' });
}

interface Printing {
  format: string;
  /** What is no name of an image may be that of something else. */
  anyKind?: boolean;
  missing: (name: string) => string;
  find: (store: Store, name: string) => Record<string, unknown> | undefined;
  /** What is known already, by name. */
  remote?: ReadonlyMap<string, Record<string, unknown>>;
}

/** Images that are named as being in a registry (`docker://NAME`), looked at without pulling them. */
async function remoteImages(
  { env, signal }: CommandContext,
  names: readonly string[],
): Promise<Map<string, Record<string, unknown>>> {
  const found = new Map<string, Record<string, unknown>>();
  for (const name of names.filter((one) => one.startsWith(REMOTE))) {
    const { describeRemote } = await import('../../engine/imagetools/describe-remote.ts');
    found.set(name, await describeRemote(name.slice(REMOTE.length), { env, signal }));
  }
  return found;
}

const REMOTE = 'docker://';

/** What is there goes to standard output, as one array or each by the template; what is not is said after it. */
function printAll(context: CommandContext, names: string[], printing: Printing): number {
  const { format, missing, find, remote, anyKind = false } = printing;
  const { stdout, stderr, root } = context;
  let template: ReturnType<typeof parseFormat> | undefined;
  try {
    template = format === '' || format === 'json' ? undefined : parseFormat(format);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    stderr.write(`${safeLines(error.message)}\n`);
    return EXIT_TEMPLATE;
  }
  const problems: string[] = [];
  const documents = withExistingStore(root, (store) =>
    names.flatMap((name) => {
      try {
        const document = remote?.get(name) ?? (store && find(store, name));
        if (document === undefined) problems.push(missing(name));
        return document ?? [];
      } catch (error) {
        if (!(error instanceof SlipwayError) || error.kind === 'corrupt') throw error;
        problems.push(anyKind && error.code === 'REFERENCE_INVALID' ? missing(name) : error.message);
        return [];
      }
    }),
  );
  if (template === undefined) {
    stdout.write(`${safeJson(documents, format === 'json' ? undefined : 4)}\n`);
  } else {
    let text = '';
    for (const document of documents) {
      try {
        text += `${formatDocument(template, document, IMAGE_INSPECT)}\n`;
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        problems.push(error.message);
        break;
      }
    }
    // What an image says is printed as it is for programs, and made harmless for terminals.
    stdout.write(text === '' ? '\n' : stdout.isTTY ? safeLines(text) : text);
  }
  if (problems.length === 0) return 0;
  throw new SlipwayError('not-found', problems.join('\nError: '), { code: 'OBJECT_NOT_FOUND' });
}

function describe(store: Store, name: string, platform?: Platform): Record<string, unknown> | undefined {
  const found = lookUp(store, name);
  if (found === undefined) return undefined;
  const { image, index } = forPlatforms(store, { text: name, found }, platform && [platform]);
  const familiar = (text: string) => familiarReference(parseReference(text));
  const layers = imageLayers(store, image.id);
  const document = inspectImage(imageDocuments(store, image.id)!.parsed, {
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
  return index === undefined ? document : { ...document, ...describeIndex(index) };
}

/** What Docker says of an image for several platforms, beside what it says of the one for this machine. */
function describeIndex({ id, document, members }: IndexRecord): Record<string, unknown> {
  const { manifests } = parseIndex(document);
  return {
    Descriptor: { mediaType: OCI.index, digest: id, size: document.length },
    Manifests: members.map(({ image, platform }, position) => ({
      ID: manifests[position]!.digest,
      Descriptor: manifests[position],
      Available: true,
      Kind: 'image',
      ImageData: { Platform: platform, Config: image },
    })),
  };
}
