import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { compressionOf, isIndexType, isManifestType } from '../image/media-types.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { parseIndex, parseManifest } from '../image/parse-manifest.ts';
import { formatPlatform, localPlatform, normalizePlatform, samePlatform } from '../image/platform.ts';
import { isReference, normalizeReference } from '../image/reference.ts';
import type { Descriptor, Platform } from '../image/types.ts';
import { type ArchiveFile, type ArchiveFiles, badArchive, needFile, readDocument } from './archive-files.ts';
import type {
  ArchiveContent,
  ArchiveImage,
  ArchiveIndex,
  LayoutSelect,
  WantedImages,
} from './archive-image.ts';
import { blobName } from './layout-documents.ts';

/** Indexes inside indexes; deeper is nobody's honest archive. */
const MAX_NESTING = 4;

/**
 * The images of an OCI layout, or what is selected (nothing when there is no such image). Indexes inside index.json are
 * taken as `wanted` says; attestations are left out.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `PLATFORM_NOT_FOUND`.
 */
export async function ociImages(
  files: ArchiveFiles,
  index: Buffer,
  wanted: WantedImages,
): Promise<ArchiveContent> {
  const { select } = wanted;
  const images = new Map<string, ArchiveImage>();
  const indexes = new Map<string, ArchiveIndex>();
  const imageOf = async (manifest: Descriptor): Promise<ArchiveImage> => {
    const image = images.get(manifest.digest) ?? (await readImage(files, manifest));
    images.set(manifest.digest, image);
    return image;
  };
  const all = parseIndex(index).manifests.filter(isImage);
  for (const descriptor of select === undefined ? all : selected(all, select)) {
    const found = await resolve(files, descriptor, wanted);
    const names = namesOf(descriptor);
    const add = (to: { names: string[] }): void => {
      to.names.push(...names.filter((name) => !to.names.includes(name)));
    };
    if (found.length === 1) {
      add(await imageOf(found[0]!));
      continue;
    }
    let known = indexes.get(descriptor.digest);
    if (known === undefined) {
      known = {
        members: [],
        names: [],
        ...annotationsOfIndex(descriptor, await readBlob(files, descriptor)),
      };
      for (const manifest of found) {
        const { platform, annotations } = manifest;
        const image = await imageOf(manifest);
        const { annotations: manifestAnnotations } = parseManifest(image.manifest!);
        known.members.push({
          image,
          platform: platform!,
          ...(annotations && { annotations }),
          ...(manifestAnnotations && { manifestAnnotations }),
        });
      }
      indexes.set(descriptor.digest, known);
    }
    add(known);
  }
  return { images: [...images.values()], indexes: [...indexes.values()] };
}

/** What names the index, or dates it, is written again when it leaves. */
const OF_THE_ENTRY = new Set([
  'io.containerd.image.name',
  'org.opencontainers.image.ref.name',
  'org.opencontainers.image.created',
]);

function annotationsOfIndex(
  { annotations = {} }: Descriptor,
  document: Buffer,
): Pick<ArchiveIndex, 'annotations' | 'descriptorAnnotations'> {
  const own = parseIndex(document).annotations;
  const kept = Object.entries(annotations).filter(([key]) => !OF_THE_ENTRY.has(key));
  return {
    ...(own && { annotations: own }),
    ...(kept.length > 0 && { descriptorAnnotations: Object.fromEntries(kept) }),
  };
}

function selected(all: readonly Descriptor[], { tag, digest }: LayoutSelect): Descriptor[] {
  const byDigest = digest === undefined ? all : all.filter((one) => one.digest === digest);
  const byTag = (wanted: string): Descriptor[] =>
    byDigest.filter(({ annotations = {} }) =>
      ['org.opencontainers.image.ref.name', 'io.containerd.image.name']
        .map((key) => annotations[key] ?? '')
        .some((name) => name === wanted || name.endsWith(`:${wanted}`)),
    );
  if (tag !== undefined) return byTag(tag).slice(0, 1);
  const latest = digest === undefined ? byTag('latest') : [];
  if (latest.length > 0) return latest.slice(0, 1);
  return new Set(byDigest.map((one) => one.digest)).size === 1 ? byDigest.slice(0, 1) : [];
}

/** BuildKit's attestations are manifests of their own. */
function isImage(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.['vnd.docker.reference.type'] !== 'attestation-manifest' &&
    descriptor.platform?.os !== 'unknown'
  );
}

/** The full name that containerd and Docker write, or what other tools put into the OCI annotation. */
function namesOf({ annotations = {} }: Descriptor): string[] {
  const full = annotations['io.containerd.image.name'];
  const name = full ?? annotations['org.opencontainers.image.ref.name'];
  // A bare tag does not say whose it is, and a digest names the image by itself.
  const usable = name !== undefined && (full !== undefined || /[:/]/.test(name)) && !name.includes('@');
  return usable && isReference(name) ? [normalizeReference(name)] : [];
}

/** The manifests that are wanted of what a descriptor names: several of an index that is taken whole. */
async function resolve(
  files: ArchiveFiles,
  descriptor: Descriptor,
  wanted: WantedImages,
  depth = 0,
): Promise<Descriptor[]> {
  if (isManifestType(descriptor.mediaType)) return [descriptor];
  if (!isIndexType(descriptor.mediaType)) {
    throw badArchive(`${descriptor.digest} has the media type ${JSON.stringify(descriptor.mediaType)}`);
  }
  if (depth >= MAX_NESTING) throw badArchive('its indexes are nested too deep');
  const candidates = parseIndex(await readBlob(files, descriptor)).manifests.filter(isImage);
  const platforms = wanted.platform === undefined ? wanted.platforms : [wanted.platform];
  const chosen = await fitting(files, candidates, platforms);
  if (chosen.length === 0) {
    const open = candidates.find((entry) => entry.platform === undefined);
    if (open !== undefined) return await resolve(files, open, wanted, depth + 1);
    throw noPlatform(platforms ?? [localPlatform()], candidates);
  }
  const found: Descriptor[] = [];
  for (const entry of wanted.platform === undefined ? chosen : chosen.slice(0, 1)) {
    const { platform, annotations } = entry;
    const [inner] = await resolve(files, entry, { platform: platform! }, depth + 1);
    found.push({ ...inner!, platform: platform!, ...(annotations && { annotations }) });
  }
  return found;
}

/** One for each platform. Of an index that is taken whole an archive may hold a part. */
async function fitting(
  files: ArchiveFiles,
  candidates: readonly Descriptor[],
  platforms: readonly Platform[] | undefined,
): Promise<Descriptor[]> {
  const chosen = new Map<string, Descriptor>();
  for (const entry of candidates) {
    const { platform } = entry;
    if (platform === undefined) continue;
    const key = formatPlatform(normalizePlatform(platform));
    const fits = platforms === undefined || platforms.some((one) => samePlatform(one, platform));
    if (!fits || chosen.has(key)) continue;
    if (platforms === undefined && candidates.length > 1 && !(await isWhole(files, entry))) continue;
    chosen.set(key, entry);
  }
  return [...chosen.values()];
}

async function isWhole(files: ArchiveFiles, descriptor: Descriptor): Promise<boolean> {
  const isThere = ({ digest }: Descriptor): boolean => files.find(blobName(digest)) !== undefined;
  if (!isThere(descriptor)) return false;
  if (!isManifestType(descriptor.mediaType)) return true;
  const { config, layers } = parseManifest(await readBlob(files, descriptor));
  return [config, ...layers].every(isThere);
}

function noPlatform(wanted: readonly Platform[], candidates: readonly Descriptor[]): SlipwayError {
  const there = candidates.map((entry) => formatPlatform(entry.platform!)).join(', ');
  return new SlipwayError(
    'not-found',
    `the archive has no image for ${wanted.map(formatPlatform).join(', ')}`,
    {
      code: 'PLATFORM_NOT_FOUND',
      hint: `It has ${there || 'none'}. Choose one with --platform.`,
    },
  );
}

async function readImage(files: ArchiveFiles, descriptor: Descriptor): Promise<ArchiveImage> {
  const bytes = await readBlob(files, descriptor);
  const manifest = parseManifest(bytes);
  const config = await readBlob(files, manifest.config);
  const diffIds = parseImageConfig(config).rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw badArchive(`the image has ${diffIds.length} layers, its manifest lists ${manifest.layers.length}`);
  }
  const layers = manifest.layers.map((layer, i) => {
    if (compressionOf(layer.mediaType) === undefined) {
      throw badArchive(`a layer has the media type ${JSON.stringify(layer.mediaType)}`);
    }
    const { digest, size } = layer;
    return { diffId: diffIds[i]!, file: sizedFile(files, layer), blob: { digest, size } };
  });
  return { id: manifest.config.digest, config, names: [], layers, manifest: bytes };
}

async function readBlob(files: ArchiveFiles, descriptor: Descriptor): Promise<Buffer> {
  const bytes = await readDocument(sizedFile(files, descriptor));
  const found = digestOf(bytes);
  if (found !== descriptor.digest) throw badArchive(`${descriptor.digest} has the digest ${found}`);
  return bytes;
}

function sizedFile(files: ArchiveFiles, { digest, size }: Descriptor): ArchiveFile {
  const file = needFile(files, blobName(digest));
  if (file.size !== size) throw badArchive(`${digest} has ${file.size} bytes, expected ${size}`);
  return file;
}
