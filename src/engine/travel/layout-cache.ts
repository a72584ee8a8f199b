import { type ArchiveFiles, needFile, readDocument } from '../../export/archive-files.ts';
import { blobName } from '../../export/layout-documents.ts';
import { digestOf } from '../../image/digest.ts';
import { parseIndex } from '../../image/parse-manifest.ts';
import type { Descriptor } from '../../image/types.ts';
import type { BlobSource } from '../../registry/fetch-blob.ts';
import { type CacheSource, noCache, readCacheManifest } from './cache-source.ts';

/** What a layout calls its documents. */
export const REF_NAME = 'org.opencontainers.image.ref.name';

export interface LayoutCacheRequest {
  /** For people. */
  name: string;
  files: ArchiveFiles;
  tag?: string | undefined;
  /** In place of a tag. */
  digest?: string | undefined;
}

/**
 * Reads the cache of an OCI layout. `files` stay open for its blobs.
 *
 * @throws SlipwayError `invalid` ARCHIVE_INVALID, DOCUMENT_INVALID, CACHE_DAMAGED; those of `readCacheManifest`
 */
export async function layoutCache(request: LayoutCacheRequest): Promise<CacheSource> {
  const { name, files } = request;
  const index = parseIndex(await readDocument(needFile(files, 'index.json')));
  const entry = chosen(index.manifests, request);
  const readBlob = async (descriptor: Descriptor): Promise<Buffer> => {
    const bytes = await readDocument(needFile(files, blobName(descriptor.digest)));
    if (digestOf(bytes) !== descriptor.digest) throw noCache(`${descriptor.digest} has another digest`);
    return bytes;
  };
  return {
    ...(await readCacheManifest(await readBlob(entry), readBlob)),
    name,
    sourcesOf: (blob) => [fileSource(files, blob)],
  };
}

function chosen(
  manifests: readonly Descriptor[],
  { tag = 'latest', digest }: LayoutCacheRequest,
): Descriptor {
  const found =
    digest === undefined
      ? manifests.findLast((entry) => entry.annotations?.[REF_NAME] === tag)
      : manifests.find((entry) => entry.digest === digest);
  if (found !== undefined) return found;
  throw noCache(digest === undefined ? `the layout has no tag ${tag}` : `the layout has no ${digest}`);
}

function fileSource(files: ArchiveFiles, blob: Descriptor): BlobSource {
  return async () => {
    const file = needFile(files, blobName(blob.digest));
    const body = file.read();
    return {
      body: Object.assign(body, { destroy: () => void body.return(undefined) }),
      start: 0,
      size: file.size,
    };
  };
}
