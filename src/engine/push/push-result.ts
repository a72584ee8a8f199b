import { SlipwayError } from '../../errors/index.ts';
import type { ImageEncoding } from '../../export/types.ts';
import { annotationsFor } from '../../image/annotations.ts';
import {
  formatReference,
  type ImageReference,
  parseReference,
  withDefaultTag,
} from '../../image/reference.ts';
import type { Descriptor, ImageAnnotations } from '../../image/types.ts';
import { imageById } from '../../store/images.ts';
import type { Store } from '../../store/store.ts';
import type { RegistryOutput } from '../output-options.ts';
import { openRegistries } from '../registry-access.ts';
import type { StoreSession } from '../session.ts';
import type { OutputImage } from '../write-outputs.ts';
import { pushTo } from './push-to.ts';

export interface PushResultRequest {
  store: Store;
  session: StoreSession;
  env: NodeJS.ProcessEnv;
  /** For each platform; one where `makesIndex` is false. */
  images: readonly OutputImage[];
  makesIndex: boolean;
  /** Names of the build, normalised. */
  tags: readonly string[];
  output: RegistryOutput;
  annotations: ImageAnnotations | undefined;
  /** Says what is being done. */
  note: (what: string) => void;
  signal: AbortSignal;
}

/**
 * Pushes a build's result to every name that it is to have; gives its manifest.
 *
 * @throws SlipwayError `usage` PUSH_NO_NAME; those of `pushTo`
 */
export async function pushResult(request: PushResultRequest): Promise<Descriptor> {
  const { store, images, makesIndex, output, annotations, env, signal, note } = request;
  const members = images.map(({ platform, image, layers }) => ({
    platform,
    config: image.config.bytes,
    layers,
    annotations: annotationsFor(annotations, platform),
  }));
  const [first] = images;
  const names = output.names ?? request.tags;
  if (names.length === 0)
    throw new SlipwayError('usage', 'tag is needed when pushing to registry', {
      code: 'PUSH_NO_NAME',
      hint: 'Name the image with -t.',
    });
  const insecure = output.insecure === true ? { insecure: () => true } : {};
  const pool = openRegistries({ env, signal, ...insecure });
  const remember = imageById(store, first!.image.config.digest) !== undefined;
  try {
    let manifest: Descriptor | undefined;
    note('exporting layers');
    for (const { domain, path, tags } of repositories(names, output.pushByDigest === true)) {
      note(`pushing layers to ${domain}/${path}`);
      const { session } = request;
      const to = { store, session, env, signal, pool, registry: domain, repository: path, tags, remember };
      const encoding = encodingOf(output);
      if (makesIndex) {
        const { pushIndex } = await import('./push-index.ts');
        manifest = await pushIndex({ ...to, encoding, members, annotations: annotations?.index });
      } else manifest = await pushTo({ ...to, ...members[0]!, encoding });
      const references = tags.length === 0 ? [''] : tags.map((tag) => `:${tag}`);
      for (const tag of references) note(`pushing manifest for ${domain}/${path}${tag}@${manifest.digest}`);
    }
    return manifest!;
  } finally {
    await pool.close();
  }
}

/** Repositories with the tags that the image gets there: none where it is pushed by its digest. */
function repositories(
  names: readonly string[],
  byDigest: boolean,
): { domain: string; path: string; tags: string[] }[] {
  const found = new Map<string, { domain: string; path: string; tags: string[] }>();
  for (const name of names) {
    const reference = pushedName(name, byDigest);
    const { domain, path, tag } = reference;
    const key = formatReference({ domain, path });
    const known = found.get(key) ?? { domain, path, tags: [] };
    if (tag !== undefined && !known.tags.includes(tag)) known.tags.push(tag);
    found.set(key, known);
  }
  return [...found.values()];
}

function pushedName(name: string, byDigest: boolean): ImageReference {
  const reference = parseReference(name);
  if (reference.digest !== undefined)
    throw new SlipwayError('usage', 'cannot push a digest reference', { code: 'PUSH_DIGEST' });
  if (!byDigest) return withDefaultTag(reference);
  // BuildKit refuses tags only where it is told of them; `-t x:1` beside push-by-digest is what people write first.
  if (reference.tag !== undefined && reference.tag !== 'latest')
    throw new SlipwayError('usage', `can't push tagged ref ${name} by digest`, {
      code: 'PUSH_TAG_BY_DIGEST',
    });
  return { domain: reference.domain, path: reference.path };
}

/** Undefined leaves it as it is usual: gzip for what is not compressed. */
function encodingOf(output: RegistryOutput): ImageEncoding {
  const { compression = 'gzip', compressionLevel, forceCompression, mediaTypes } = output;
  return {
    compression: compression === 'uncompressed' ? 'none' : compression,
    ...(compressionLevel === undefined ? {} : { level: compressionLevel }),
    ...(forceCompression === undefined ? {} : { force: forceCompression }),
    ...(mediaTypes === undefined ? {} : { family: mediaTypes }),
  };
}
