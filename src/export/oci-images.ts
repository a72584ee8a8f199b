import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { isIndexType, isManifestType } from '../image/media-types.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { parseIndex, parseManifest } from '../image/parse-manifest.ts';
import { formatPlatform, localPlatform, samePlatform } from '../image/platform.ts';
import { isReference, normalizeReference } from '../image/reference.ts';
import type { Descriptor, Platform } from '../image/types.ts';
import { type ArchiveFile, type ArchiveFiles, badArchive, needFile, readDocument } from './archive-files.ts';
import type { ArchiveImage } from './archive-image.ts';
import { compressionOf } from './compress-layer.ts';
import { blobName } from './layout-documents.ts';

/** Indexes inside indexes; deeper is nobody's honest archive. */
const MAX_NESTING = 4;

/** Names one image of a layout: by digest, by tag, or, with neither, the one tagged `latest` or else the only one. */
export interface LayoutSelect {
  tag?: string;
  digest?: string;
  /** Of a docker archive: the image that has this normalised name, or the only one. */
  name?: string | undefined;
  docker?: boolean;
  /** Of a docker archive of several images none, when no name was given. */
  only?: boolean;
}

/**
 * The images of an OCI layout, or the one selected (none when there is no such image). Of an index inside index.json the image for `platform` (default: this machine's) is
 * taken; attestations are left out.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `PLATFORM_NOT_FOUND`.
 */
export async function ociImages(
  files: ArchiveFiles,
  index: Buffer,
  options: { platform?: Platform | undefined; select?: LayoutSelect | undefined } = {},
): Promise<ArchiveImage[]> {
  const { platform = localPlatform(), select } = options;
  const images = new Map<string, ArchiveImage>();
  const all = parseIndex(index).manifests.filter(isImage);
  for (const descriptor of select === undefined ? all : selected(all, select)) {
    const manifest = await resolve(files, descriptor, { platform, depth: 0 });
    const image = images.get(manifest.digest) ?? (await readImage(files, manifest));
    image.names.push(...namesOf(descriptor).filter((name) => !image.names.includes(name)));
    images.set(manifest.digest, image);
  }
  return [...images.values()];
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

async function resolve(
  files: ArchiveFiles,
  descriptor: Descriptor,
  { platform, depth }: { platform: Platform; depth: number },
): Promise<Descriptor> {
  if (isManifestType(descriptor.mediaType)) return descriptor;
  if (!isIndexType(descriptor.mediaType)) {
    throw badArchive(`${descriptor.digest} has the media type ${JSON.stringify(descriptor.mediaType)}`);
  }
  if (depth >= MAX_NESTING) throw badArchive('its indexes are nested too deep');
  const candidates = parseIndex(await readBlob(files, descriptor)).manifests.filter(isImage);
  const fitting = candidates.find(
    (entry) => entry.platform !== undefined && samePlatform(entry.platform, platform),
  );
  const chosen = fitting ?? candidates.find((entry) => entry.platform === undefined);
  if (chosen === undefined) {
    const there = candidates.map((entry) => formatPlatform(entry.platform!)).join(', ');
    throw new SlipwayError('not-found', `the archive has no image for ${formatPlatform(platform)}`, {
      code: 'PLATFORM_NOT_FOUND',
      hint: `It has ${there || 'none'}. Choose one with --platform.`,
    });
  }
  return await resolve(files, chosen, { platform, depth: depth + 1 });
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
