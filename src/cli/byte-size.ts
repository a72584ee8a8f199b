import { byteSize } from '../dockerfile/byte-size.ts';
import { SlipwayError } from '../errors/index.ts';

/** Bytes of a size as Docker writes it: `512m`, `4g`, `1.5GiB`, `1000`; units are powers of 1024. Throws `usage`. */
export function parseByteSize(text: string): number {
  const bytes = byteSize(text.trim());
  if (bytes !== undefined) return bytes;
  throw new SlipwayError('usage', `invalid size: ${JSON.stringify(text)}`, {
    code: 'SIZE_INVALID',
    hint: 'A number with one of the units b, k, m, g, t: 512m, 4g.',
  });
}
