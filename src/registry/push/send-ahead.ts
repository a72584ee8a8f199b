import { SlipwayError } from '../../errors/index.ts';
import { pause, retryDelay } from '../../http/retry.ts';
import { registryFailure } from '../registry-error.ts';
import type { RegistryEndpoint, Upload, UploadBody } from '../types.ts';
import { fileBody } from './file-body.ts';
import type { GrowingFile } from './growing-file.ts';
import { FIRST_DELAY_MS, isWorthAnother, statusOf, type UploadOptions } from './upload-blob.ts';

/**
 * Uploads a blob while it is made, as far as that goes: to its end in one request, or in chunks where those are limited.
 * Whatever fails on the way is left to `uploadBlob`, which goes on once the blob is whole and is told here where.
 *
 * @param stop Aborted when the blob is not wanted any more: the upload is given up.
 * @returns The upload to go on with, undefined where one has to be begun.
 * @throws SlipwayError `canceled`; those of beginning an upload that another attempt would meet too
 */
export async function sendAhead(
  endpoint: RegistryEndpoint,
  file: GrowingFile,
  { stop, ...options }: UploadOptions & { stop: AbortSignal },
): Promise<Upload | undefined> {
  const { client, repository } = endpoint;
  const signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
  let { upload } = options;
  try {
    upload ??= await client.startUpload(repository, { signal });
    const chunk = Math.max(options.chunkBytes ?? 0, upload.minChunk ?? 0);
    if (chunk === 0)
      return await client.patchUpload(upload, followedFile(file, upload.offset, options.sent), { signal });
    while ((await file.atLeast(upload.offset + chunk)) >= upload.offset + chunk && !file.whole) {
      const part = { from: upload.offset, to: upload.offset + chunk, sent: options.sent };
      upload = await client.patchUpload(upload, fileBody(file.path, part), { signal });
    }
    return upload;
  } catch (error) {
    if (signal.aborted) {
      // Who ends the whole push does not wait for this: the registry forgets it by itself.
      if (upload !== undefined && !options.signal?.aborted) await client.cancelUpload(upload);
      throw error;
    }
    if (upload !== undefined && isWorthAnother(error)) {
      try {
        return await statusOnceWhole(endpoint, { file, upload, error, delayMs: options.delayMs, signal });
      } catch (ended) {
        if (!options.signal?.aborted) await client.cancelUpload(upload);
        throw ended;
      }
    }
    // Also servers that take no body of unknown length, whatever they say of it.
    if (upload !== undefined && registryFailure(error) !== undefined) {
      await client.cancelUpload(upload);
      return undefined;
    }
    if (error instanceof SlipwayError && isWorthAnother(error)) return undefined;
    throw error;
  }
}

/**
 * Where an upload stands, asked as late as anybody needs to know it: a registry that is asked at once has not written all
 * that came. Docker's then answers that it has nothing, and refuses what goes on from there.
 */
async function statusOnceWhole(
  endpoint: RegistryEndpoint,
  broken: {
    file: GrowingFile;
    upload: Upload;
    error: unknown;
    delayMs: number | undefined;
    signal: AbortSignal;
  },
): Promise<Upload | undefined> {
  const { file, upload, error, delayMs = FIRST_DELAY_MS, signal } = broken;
  await file.atLeast(Number.POSITIVE_INFINITY);
  await pause(retryDelay(1, delayMs), signal);
  return statusOf(endpoint, upload, error, signal);
}

/** The file from a byte on to where it will end. */
function followedFile(file: GrowingFile, from: number, sent: UploadOptions['sent']): UploadBody {
  return {
    size: undefined,
    async *open() {
      for (let at = from; ; ) {
        const to = await file.atLeast(at + 1);
        if (to <= at) return;
        const body = fileBody(file.path, { from: at, to, sent });
        yield* body.open();
        at = to;
      }
    },
  };
}
