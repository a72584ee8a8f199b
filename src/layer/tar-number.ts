import { badTar } from './tar-format.ts';

/** Largest number that fits a field of `width` bytes in octal with its closing NUL. */
export function octalLimit(width: number): number {
  return 8 ** (width - 1) - 1;
}

/**
 * Writes the octal digits of a number over the zeros of its field, which ends before `end`; one that is above `limit`
 * or negative stays 0. Returns the sum of the digits.
 */
export function writeOctal(block: Buffer, end: number, limit: number, value: number): number {
  if (value <= 0 || value > limit) return 0;
  let rest = value;
  let at = end;
  let sum = 0;
  // Shifts are for 32 bits.
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 8)) {
    const digit = rest % 8;
    block[--at] = 48 + digit;
    sum += digit;
  }
  for (; rest !== 0; rest >>>= 3) {
    const digit = rest & 7;
    block[--at] = 48 + digit;
    sum += digit;
  }
  return sum;
}

/**
 * Reads a number of a header: octal with any padding of spaces and NULs, or GNU's base-256 (first bit set, two's
 * complement). Throws `invalid` for anything else and for numbers beyond 2^53.
 */
export function readNumber(block: Buffer, offset: number, width: number, field: string): number {
  const first = block[offset]!;
  if (first & 0x80) return readBase256(block, offset, width, field);
  let at = offset;
  let end = offset + width;
  while (at < end && (block[at] === 32 || block[at] === 0)) at++;
  while (end > at && (block[end - 1] === 32 || block[end - 1] === 0)) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at]! - 48;
    // Some writers put garbage behind the NUL that ends a field.
    if (block[at] === 0) break;
    if (digit < 0 || digit > 7) throw badTar('TAR_NUMBER', `bad ${field} in a tar header`);
    value = value * 8 + digit;
  }
  return value;
}

function readBase256(block: Buffer, offset: number, width: number, field: string): number {
  const negative = (block[offset]! & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (let i = 0; i < width; i++) {
    const byte = i === 0 ? (negative ? block[offset]! | 0x80 : block[offset]! & 0x7f) : block[offset + i]!;
    value = (value << 8n) | BigInt(byte);
  }
  const bits = BigInt.asIntN(width * 8 + 8, value);
  if (bits > BigInt(Number.MAX_SAFE_INTEGER) || bits < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw badTar('TAR_NUMBER', `${field} in a tar header is out of range`);
  }
  return Number(bits);
}
