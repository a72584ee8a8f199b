import { SlipwayError } from '../../errors/index.ts';
import { pause, retryDelay } from '../../http/retry.ts';
import type { Digest } from '../../image/types.ts';
import { registryFailure } from '../registry-error.ts';
import type { CallOptions, RegistryEndpoint, Upload, UploadBody } from '../types.ts';
import { fileBody } from './file-body.ts';

/** A blob goes in one request up to this size; a larger one so that it can be gone on with where it broke off. */
export const MONOLITHIC_BYTES = 1 << 20;
/** Size of chunks where a server takes no larger body (413). */
const CHUNK_BYTES = 8 << 20;
/** How often an upload is begun or gone on with in all, without any progress in between. */
const ATTEMPTS = 5;

/** A blob whose bytes are here. */
export interface LocalBlob {
  digest: Digest;
  size: number;
  /** The bytes, the path of a file that has them, or what gives a part of them, `to` exclusive. */
  content: Buffer | string | ((from: number, to: number) => UploadBody);
}

export interface UploadOptions extends CallOptions {
  /** One to go on with: that the server began when it would not mount the blob, or that has a part of it. */
  upload?: Upload | undefined;
  /** What `upload` broke off with: only the server knows where it stands. */
  failure?: unknown;
  /** First pause before something is tried again. Default 250 ms. */
  delayMs?: number;
  /** Bytes that a request carries at most. Default: all, or 8 MiB once the server has refused that as too large. */
  chunkBytes?: number | undefined;
  /** Told of bytes on their way; those of a broken attempt are told again. */
  sent?: (bytes: number) => void;
}

/** True when the repository has the blob. */
export async function hasBlob(
  { client, repository }: RegistryEndpoint,
  blob: { digest: Digest; size: number },
  options: CallOptions = {},
): Promise<boolean> {
  return (await client.headBlob(repository, blob.digest, options)) !== undefined;
}

/**
 * Asks for a blob to be taken from other repositories of the registry (end-11), one after the other: the one that had
 * it, or the upload that the server began instead, if any.
 */
export async function mountBlob(
  { client, repository }: RegistryEndpoint,
  digest: Digest,
  { mountFrom, signal }: CallOptions & { mountFrom: readonly string[] },
): Promise<{ from: string } | { upload: Upload | undefined }> {
  let upload: Upload | undefined;
  for (const from of mountFrom.filter((one) => one !== repository)) {
    if (upload !== undefined) await client.cancelUpload(upload);
    try {
      upload = await client.mountBlob(repository, digest, from, { signal });
      if (upload === undefined) return { from };
    } catch (error) {
      // It only saves work: who may not read there, or asks a server that does not know it, uploads.
      if (error instanceof SlipwayError && error.kind === 'canceled') throw error;
      upload = undefined;
    }
  }
  return { upload };
}

/**
 * Brings a blob that is not there. An upload that breaks off is gone on with from what has arrived, and begun anew
 * where the server has forgotten it or found another digest.
 *
 * @throws SlipwayError those of `RegistryClient`
 */
export async function uploadBlob(
  endpoint: RegistryEndpoint,
  blob: LocalBlob,
  options: UploadOptions = {},
): Promise<void> {
  const { signal, delayMs = 250 } = options;
  let { upload, failure, chunkBytes } = options;
  for (let attempt = 1; ; ) {
    if (failure !== undefined) {
      if (registryFailure(failure)?.status === 413 && chunkBytes === undefined) chunkBytes = CHUNK_BYTES;
      await pause(retryDelay(attempt, delayMs), signal);
      const before: number = upload?.offset ?? 0;
      upload = upload && (await statusOf(endpoint, upload, failure, signal));
      attempt = (upload?.offset ?? 0) > before ? 1 : attempt + 1;
    }
    try {
      upload ??= await endpoint.client.startUpload(endpoint.repository, { signal });
      await send(endpoint, blob, upload, { ...options, chunkBytes });
      return;
    } catch (error) {
      if (attempt >= ATTEMPTS || signal?.aborted || !isWorthAnother(error)) {
        if (upload !== undefined && !signal?.aborted) await endpoint.client.cancelUpload(upload);
        throw error;
      }
      failure = error;
    }
  }
}

async function send(
  { client }: RegistryEndpoint,
  { digest, size, content }: LocalBlob,
  begun: Upload,
  { signal, sent, chunkBytes }: UploadOptions,
): Promise<void> {
  const bodyOf = (from: number, to: number): UploadBody => {
    if (typeof content === 'string') return fileBody(content, { from, to, sent });
    return typeof content === 'function' ? content(from, to) : content.subarray(from, to);
  };
  let upload = begun;
  if (size <= MONOLITHIC_BYTES && upload.offset === 0)
    return client.putUpload(upload, digest, bodyOf(0, size), { signal });
  while (upload.offset < size) {
    const most = Math.max(chunkBytes ?? size, upload.minChunk ?? 0);
    const end = Math.min(size, upload.offset + most);
    upload = await client.patchUpload(upload, bodyOf(upload.offset, end), { signal });
    // Where it goes on is told by an address that changes.
    Object.assign(begun, upload);
  }
  await client.putUpload(upload, digest, undefined, { signal });
}

/** Where an upload stands after a failure; undefined when it has to be begun anew. */
async function statusOf(
  { client }: RegistryEndpoint,
  upload: Upload,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<Upload | undefined> {
  // What the server has taken has another digest: none of it is of use.
  if (registryFailure(error)?.status === 400) {
    await client.cancelUpload(upload);
    return undefined;
  }
  try {
    return await client.uploadStatus(upload, { signal });
  } catch (cause) {
    if (cause instanceof SlipwayError && cause.kind === 'canceled') throw cause;
    return undefined;
  }
}

/** A fault that may pass, or an upload that the server and we see differently. */
export function isWorthAnother(error: unknown): boolean {
  if (!(error instanceof SlipwayError)) return false;
  const failure = registryFailure(error);
  if (failure === undefined) return error.kind === 'unavailable';
  const { status, errors } = failure;
  if (status === 400)
    return errors.some(({ code }) => /DIGEST_INVALID|SIZE_INVALID|BLOB_UPLOAD_INVALID/.test(code));
  return status >= 500 || [404, 408, 413, 416, 425, 429].includes(status);
}
