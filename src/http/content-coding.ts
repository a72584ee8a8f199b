import { pipeline, Readable } from 'node:stream';
import zlib from 'node:zlib';
import { SlipwayError } from '../errors/index.ts';

const chunkSize = 1 << 20;

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: () => zlib.createGunzip({ chunkSize }),
  'x-gzip': () => zlib.createGunzip({ chunkSize }),
  deflate: () => zlib.createInflate({ chunkSize }),
  br: () => zlib.createBrotliDecompress({ chunkSize }),
  zstd: () => zlib.createZstdDecompress({ chunkSize }),
};

/** A body as its `Content-Encoding` says it was meant (RFC 9110, 8.4). Throws `unsupported` for other encodings. */
export function decodeContent(
  body: AsyncIterable<Buffer>,
  encoding: string | undefined,
): AsyncIterable<Buffer> {
  const names = (encoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  return names.reduceRight((source, name) => {
    const decoder = DECODERS[name]?.();
    if (decoder === undefined)
      throw new SlipwayError(
        'unsupported',
        `the server sent the content encoded as ${JSON.stringify(name)}`,
        {
          code: 'HTTP_ENCODING',
        },
      );
    // Whoever reads gets the error: pipeline destroys the decoder with it.
    pipeline(Readable.from(source, { objectMode: false }), decoder, () => {});
    return decoder as unknown as AsyncIterable<Buffer>;
  }, body);
}
