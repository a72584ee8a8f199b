import { SlipwayError } from '../errors/index.ts';

const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(?:i?b)?|b)?$/i;

/** Bytes of a size as Docker writes it: `512m`, `4g`, `1.5GiB`, `1000`; units are powers of 1024. Throws `usage`. */
export function parseByteSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const bytes = match === null ? Number.NaN : Number(match[1]) * 1024 ** power(match[2]);
  if (!Number.isSafeInteger(Math.trunc(bytes))) {
    throw new SlipwayError('usage', `invalid size: ${JSON.stringify(text)}`, {
      code: 'SIZE_INVALID',
      hint: 'A number with one of the units b, k, m, g, t: 512m, 4g.',
    });
  }
  return Math.trunc(bytes);
}

function power(unit: string | undefined): number {
  return unit === undefined ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1;
}
