import { SlipwayError } from '../../errors/index.ts';
import { registryFailure } from '../registry-error.ts';
import type { RegistryEndpoint, UploadBody } from '../types.ts';
import { fileBody } from './file-body.ts';
import type { GrowingFile } from './growing-file.ts';
import { isWorthAnother, type UploadOptions } from './upload-blob.ts';

/** The upload to go on with, none where one has to be begun, and what it broke off with. */
export type SentAhead = Pick<UploadOptions, 'upload' | 'failure'>;

/**
 * Uploads a blob while it is made, as far as that goes: to its end in one request, or in chunks where those are limited.
 * Whatever fails on the way is left to `uploadBlob`, which goes on once the blob is whole and is told here where.
 *
 * @param stop Aborted when the blob is not wanted any more: the upload is given up.
 * @throws SlipwayError `canceled`; those of beginning an upload that another attempt would meet too
 */
export async function sendAhead(
  endpoint: RegistryEndpoint,
  file: GrowingFile,
  { stop, ...options }: UploadOptions & { stop: AbortSignal },
): Promise<SentAhead> {
  const { client, repository } = endpoint;
  const signal = options.signal === undefined ? stop : AbortSignal.any([options.signal, stop]);
  let { upload } = options;
  try {
    upload ??= await client.startUpload(repository, { signal });
    const chunk = Math.max(options.chunkBytes ?? 0, upload.minChunk ?? 0);
    if (chunk === 0)
      return {
        upload: await client.patchUpload(upload, followedFile(file, upload.offset, options.sent), { signal }),
      };
    while ((await file.atLeast(upload.offset + chunk)) >= upload.offset + chunk && !file.whole) {
      const part = { from: upload.offset, to: upload.offset + chunk, sent: options.sent };
      upload = await client.patchUpload(upload, fileBody(file.path, part), { signal });
    }
    return { upload };
  } catch (error) {
    if (signal.aborted) {
      // Who ends the whole push does not wait for this: the registry forgets it by itself.
      if (upload !== undefined && !options.signal?.aborted) await client.cancelUpload(upload);
      throw error;
    }
    // Nobody asks where it stands before the blob is whole: a registry that is asked at once has not written all that
    // came. Docker's then answers that it has nothing, and refuses what goes on from there.
    if (upload !== undefined && isWorthAnother(error)) return { upload, failure: error };
    // Also servers that take no body of unknown length, whatever they say of it.
    if (upload !== undefined && registryFailure(error) !== undefined) {
      await client.cancelUpload(upload);
      return {};
    }
    if (error instanceof SlipwayError && isWorthAnother(error)) return {};
    throw error;
  }
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
