import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { parsePlatform } from '../../image/platform.ts';
import { isReference, normalizeReference } from '../../image/reference.ts';
import { safeLines } from '../../progress/safe-text.ts';
import { defineCommand } from '../command.ts';

/** `slipway imagetools create` */
export const imagetoolsCreate = defineCommand({
  usage: '[OPTIONS] [SOURCE...]',
  flags: {
    annotation: { type: 'list', usage: 'Add annotation to the image' },
    append: { type: 'bool', usage: 'Append to existing manifest' },
    builder: { type: 'string', usage: '', hidden: true, ineffective: 'there is no daemon' },
    'dry-run': { type: 'bool', usage: 'Show final image instead of pushing' },
    file: { type: 'list', short: 'f', usage: 'Read source descriptor from file' },
    'metadata-file': { type: 'string', usage: 'Write create result metadata to a file' },
    platform: { type: 'strings', short: 'p', usage: 'Filter specified platforms of target image' },
    'prefer-index': {
      type: 'bool',
      default: 'true',
      usage:
        'When only a single source is specified, prefer outputting an image index or manifest list instead of performing a carbon copy',
    },
    progress: {
      type: 'string',
      usage: 'Set type of progress output ("auto", "plain", "quiet")',
      default: 'auto',
    },
    tag: { type: 'list', short: 't', usage: 'Set reference for new image' },
  },
  args: { least: 0 },
  async run({ env, signal, stdout, stderr }, { values, args }) {
    const { createImage } = await import('../../engine/imagetools/create.ts');
    const sources = [...values.file.flatMap((path) => fromFile(path, values.tag[0])), ...args];
    const quiet = values.progress === 'quiet' || values.progress === 'none';
    const annotations = annotationsOf(values.annotation);
    const created = await createImage({
      sources,
      tags: values.tag,
      append: values.append,
      preferIndex: values['prefer-index'],
      platforms: values.platform.map((text) => parsePlatform(text)),
      ...(annotations && { annotations }),
      dryRun: values['dry-run'],
      env,
      signal,
      note: (what) => !quiet && stderr.write(`${safeLines(what)}\n`),
    });
    if (values['dry-run']) stdout.write(`${created.bytes.toString('utf8')}\n`);
    if (values['metadata-file'] !== '') {
      const { writeMetadataFile } = await import('../metadata-file.ts');
      const { mediaType, digest, bytes } = created;
      writeMetadataFile(resolve(values['metadata-file']), {
        'containerimage.descriptor': { mediaType, digest, size: bytes.length },
        'image.name': values.tag.map(normalizeReference).join(','),
      });
    }
    return 0;
  },
});

/** `index:key=value` or `key=value`; the other places are those of single manifests, which are not made here. */
function annotationsOf(texts: readonly string[]): Record<string, string> | undefined {
  if (texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const [, place = 'index', key, value] = /^(?:([a-z-]+):)?([^=]+)=(.*)$/s.exec(text) ?? [];
      if (key === undefined || value === undefined)
        throw usage(`invalid annotation "${text}", expected key=value`);
      if (place !== 'index')
        throw usage(`annotations of a ${place} cannot be added: only those of the index`);
      return [key, value];
    }),
  );
}

/** A descriptor, or what inspecting a build wrote: names its manifest in the repository of the first tag. */
function fromFile(path: string, tag: string | undefined): string[] {
  const text = readFileSync(resolve(path), 'utf8').trim();
  if (isReference(text)) return [text];
  let digest: unknown;
  try {
    digest = (JSON.parse(text) as { digest?: unknown }).digest;
  } catch {
    throw usage(`${path} holds neither a name nor a descriptor`);
  }
  if (typeof digest !== 'string') throw usage(`the descriptor in ${path} has no digest`);
  if (tag === undefined) throw usage('a descriptor without --tag does not say which repository has it');
  return [`${tag.replace(/(?::[^/:]*)?(?:@.*)?$/, '')}@${digest}`];
}

function usage(message: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'IMAGETOOLS_USAGE' });
}
