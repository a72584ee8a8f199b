import PQueue from 'p-queue';
import { SlipwayError } from '../../errors/index.ts';
import { DOCKER, isIndexType, isManifestType, OCI } from '../../image/media-types.ts';
import { parseIndex, parseManifest } from '../../image/parse-manifest.ts';
import type { Descriptor } from '../../image/types.ts';
import { hasBlob, mountBlob, type UploadOptions, uploadBlob } from '../push/upload-blob.ts';
import type { CallOptions, FetchedManifest, RegistryEndpoint, UploadBody } from '../types.ts';

/** Indexes inside indexes; deeper is nobody's honest image. */
const MAX_NESTING = 4;
/** Blobs on their way at once. */
const PARALLEL = 4;

export interface CopyRequest extends CallOptions {
  from: RegistryEndpoint;
  to: RegistryEndpoint;
  /** Both are the same registry: blobs are mounted. */
  sameRegistry: boolean;
  /** First pause before something is tried again. */
  delayMs?: number;
}

/**
 * Brings to a repository all that a document refers to, what is referred to before what refers to it, and last the
 * document itself by its digest. Bytes go from one registry to the other and are kept nowhere; the receiving one checks
 * their digests.
 *
 * @throws SlipwayError `not-found` REGISTRY_INCOMPLETE; those of `RegistryClient`
 */
export async function copyTree(document: FetchedManifest, request: CopyRequest, depth = 0): Promise<void> {
  const { from, to, signal } = request;
  const { mediaType, bytes, digest } = document;
  if (isIndexType(mediaType)) {
    if (depth >= MAX_NESTING)
      throw new SlipwayError('invalid', 'indexes are nested too deep', { code: 'INDEX_NESTED' });
    for (const child of parseIndex(bytes).manifests) {
      const found = await from.client.getManifest(from.repository, child.digest, { signal });
      if (found === undefined) throw incomplete(child);
      await copyTree(found, request, depth + 1);
    }
  } else if (isManifestType(mediaType)) {
    const { config, layers } = parseManifest(bytes);
    await copyBlobs([config, ...layers.filter((layer) => !isForeign(layer))], request);
  }
  await to.client.putManifest(to.repository, digest, { mediaType, bytes }, { signal });
}

/** Layers that may not be distributed lie elsewhere. */
function isForeign({ mediaType }: Descriptor): boolean {
  return /\bforeign\b|nondistributable/.test(mediaType);
}

async function copyBlobs(blobs: readonly Descriptor[], request: CopyRequest): Promise<void> {
  const queue = new PQueue({ concurrency: PARALLEL });
  const different = new Map(blobs.map((blob) => [blob.digest, blob]));
  await Promise.all([...different.values()].map((blob) => queue.add(() => copyBlob(blob, request))));
}

async function copyBlob(blob: Descriptor, request: CopyRequest): Promise<void> {
  const { from, to, sameRegistry, signal, delayMs } = request;
  if (await hasBlob(to, blob, { signal })) return;
  const options: UploadOptions = { signal, ...(delayMs === undefined ? {} : { delayMs }) };
  if (sameRegistry) {
    const mounted = await mountBlob(to, blob.digest, { mountFrom: [from.repository], signal });
    if ('from' in mounted) return;
    options.upload = mounted.upload;
  }
  const content = (start: number, end: number): UploadBody => ({
    size: end - start,
    open: () => part(from, blob, { start, end, signal }),
  });
  const { digest, size } = blob;
  await uploadBlob(to, { digest, size, content }, options);
}

/** Bytes `start` to `end` of a remote blob. A server that knows no ranges sends what comes before as well. */
async function* part(
  { client, repository }: RegistryEndpoint,
  { digest }: Descriptor,
  { start, end, signal }: { start: number; end: number; signal: AbortSignal | undefined },
): AsyncGenerator<Buffer> {
  if (start === end) return;
  const stream = await client.getBlob(repository, digest, { from: start, signal });
  let at = stream.start;
  try {
    for await (const chunk of stream.body) {
      const first = Math.max(0, start - at);
      const piece = chunk.subarray(first, Math.max(first, end - at));
      at += chunk.length;
      if (piece.length > 0) yield piece;
      if (at >= end) return;
    }
  } finally {
    stream.body.destroy();
  }
}

function incomplete({ digest }: Descriptor): SlipwayError {
  return new SlipwayError('not-found', `${digest}: not found`, {
    code: 'REGISTRY_INCOMPLETE',
    hint: 'The index names a manifest that the registry does not have.',
  });
}

/** The type of an index of such manifests: Docker's where all of them are Docker's. */
export function indexTypeFor(manifests: readonly Descriptor[]): string {
  return manifests.length > 0 && manifests.every(({ mediaType }) => mediaType === DOCKER.manifest)
    ? DOCKER.index
    : OCI.index;
}
