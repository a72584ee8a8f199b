import { SlipwayError } from '../../errors/index.ts';
import { buildIndex, type Document } from '../../image/build-manifest.ts';
import { digestOf } from '../../image/digest.ts';
import { goJson, sortedRecord } from '../../image/go-json.ts';
import { isIndexType, isManifestType } from '../../image/media-types.ts';
import { parseImageConfig } from '../../image/parse-config.ts';
import { parseIndex } from '../../image/parse-manifest.ts';
import { samePlatform } from '../../image/platform.ts';
import { formatReference, parseReference, withDefaultTag } from '../../image/reference.ts';
import type { Descriptor, Platform } from '../../image/types.ts';
import { copyTree, indexTypeFor } from '../../registry/copy/copy-tree.ts';
import { pushEndpoint } from '../../registry/push-endpoint.ts';
import type { RegistryPool } from '../../registry/types.ts';
import { pushSettings } from '../push/push-settings.ts';
import { openRegistries, type RegistryAccess } from '../registry-access.ts';
import { configOf } from './inspect.ts';
import { type RemoteDocument, remoteDocument } from './remote-document.ts';

export interface CreateOptions extends RegistryAccess {
  /** Names in registries. */
  sources: readonly string[];
  /** Names that the result gets. */
  tags: readonly string[];
  /** Begin with what the first of the tags names now. */
  append?: boolean;
  /** An index even of a single image. Default true. */
  preferIndex?: boolean;
  /** Only the images for these. */
  platforms?: readonly Platform[];
  /** Of the index. */
  annotations?: Readonly<Record<string, string>>;
  /** Nothing is pushed. */
  dryRun?: boolean;
  /** Says what is being done. */
  note?: (what: string) => void;
}

/** What was made: a document as it is pushed. */
export interface Created extends Document {
  mediaType: string;
}

/**
 * Makes an image of images in registries, and pushes it: an index of all their manifests, or the one source itself
 * where that is an index already. Nothing goes through the store of this machine.
 *
 * @throws SlipwayError `usage` IMAGETOOLS_USAGE; those of `remoteDocument` and `copyTree`
 */
export async function createImage(options: CreateOptions): Promise<Created> {
  const { tags, append = false, dryRun = false, signal, note } = options;
  if (tags.length === 0 && !dryRun)
    throw usage("can't push with no tags specified, please set --tag or --dry-run");
  if (append && tags.length === 0) throw usage("can't append with no tags specified");
  const names = append ? [tags[0]!, ...options.sources] : options.sources;
  if (names.length === 0) throw usage('no sources specified');
  const pool = openRegistries(options);
  try {
    const sources: RemoteDocument[] = [];
    for (const name of names) sources.push(await remoteDocument(pool, name, signal));
    const { created, members } = await combine(sources, options);
    if (dryRun) return created;
    for (const tag of tags.map((text) => withDefaultTag(parseReference(text)))) {
      const to = await pushEndpoint(pool, tag.domain, tag.path);
      for (const member of members) await copyMember(member, { pool, tag, options });
      note?.(`pushing ${created.digest} to ${formatReference(tag)}`);
      await to.client.putManifest(to.repository, tag.tag ?? created.digest, created, { signal });
    }
    return created;
  } finally {
    await pool.close();
  }
}

/** A document that the result refers to, and the source that it came with. */
interface Member {
  descriptor: Descriptor;
  source: RemoteDocument;
}

async function combine(
  sources: readonly RemoteDocument[],
  { preferIndex = true, platforms, annotations, signal }: CreateOptions,
): Promise<{ created: Created; members: Member[] }> {
  const found: Member[] = [];
  for (const source of sources) {
    const { mediaType, bytes, digest } = source;
    if (isIndexType(mediaType)) {
      for (const descriptor of parseIndex(bytes).manifests) found.push({ descriptor, source });
    } else if (isManifestType(mediaType)) {
      const plain = { mediaType, digest, size: bytes.length };
      found.push({ descriptor: await withPlatform(plain, source, signal), source });
    } else throw usage(`unsupported media type ${mediaType} of ${formatReference(source.reference)}`);
  }
  const different = [...new Map(found.map((member) => [member.descriptor.digest, member])).values()];
  const members = different.filter(({ descriptor }) => isWanted(descriptor, different, platforms));
  if (members.length === 0) throw usage('no source has an image for the platforms asked for');
  const [first] = sources;
  const isCopy =
    sources.length === 1 &&
    annotations === undefined &&
    members.length === found.length &&
    (isIndexType(first!.mediaType) || !preferIndex);
  if (isCopy) {
    const { mediaType, bytes, digest } = first!;
    return {
      created: { mediaType, bytes, digest },
      members: isIndexType(mediaType) ? members : [{ descriptor: members[0]!.descriptor, source: first! }],
    };
  }
  return {
    created: newIndex(
      members.map(({ descriptor }) => descriptor),
      annotations,
    ),
    members,
  };
}

/** Attestations go with the image that they are about. */
function isWanted(
  { platform, annotations }: Descriptor,
  all: readonly Member[],
  wanted: readonly Platform[] | undefined,
): boolean {
  if (wanted === undefined || wanted.length === 0) return true;
  const subject = annotations?.['vnd.docker.reference.digest'];
  if (subject !== undefined) {
    const image = all.find(({ descriptor }) => descriptor.digest === subject);
    return image !== undefined && isWanted(image.descriptor, [], wanted);
  }
  return platform !== undefined && wanted.some((one) => samePlatform(platform, one));
}

async function withPlatform(
  descriptor: Descriptor,
  { endpoint, bytes }: RemoteDocument,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const config = await configOf(endpoint, bytes, signal);
  if (config === undefined) return descriptor;
  const { os, architecture, variant } = parseImageConfig(config);
  return { ...descriptor, platform: { architecture, os, ...(variant && { variant }) } };
}

function newIndex(
  manifests: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> | undefined,
): Created {
  const mediaType =
    annotations === undefined ? indexTypeFor(manifests) : 'application/vnd.oci.image.index.v1+json';
  const index = JSON.parse(buildIndex(manifests).bytes.toString('utf8')) as { manifests: unknown[] };
  const value = {
    schemaVersion: 2,
    mediaType,
    manifests: index.manifests,
    ...(annotations && { annotations: sortedRecord(annotations) }),
  };
  // Indented as buildx writes it: the same sources give the same digest with both.
  const bytes = Buffer.from(goJson(value, 2), 'utf8');
  return { mediaType, bytes, digest: digestOf(bytes) };
}

async function copyMember(
  { descriptor, source }: Member,
  {
    pool,
    tag,
    options,
  }: { pool: RegistryPool; tag: ReturnType<typeof parseReference>; options: CreateOptions },
): Promise<void> {
  const { signal, env, note } = options;
  const { reference, endpoint } = source;
  const to = await pushEndpoint(pool, tag.domain, tag.path);
  const sameRegistry = reference.domain === tag.domain;
  if (sameRegistry && reference.path === tag.path) return;
  note?.(`copying ${descriptor.digest} from ${formatReference(reference)} to ${formatReference(tag)}`);
  const document =
    descriptor.digest === source.digest
      ? source
      : await endpoint.client.getManifest(endpoint.repository, descriptor.digest, { signal });
  if (document === undefined)
    throw new SlipwayError('not-found', `${formatReference(reference)}: ${descriptor.digest}: not found`, {
      code: 'REGISTRY_INCOMPLETE',
    });
  const { delayMs } = pushSettings(env);
  await copyTree(document, {
    from: endpoint,
    to: to!,
    sameRegistry,
    signal,
    ...(delayMs === undefined ? {} : { delayMs }),
  });
}

function usage(message: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'IMAGETOOLS_USAGE' });
}
