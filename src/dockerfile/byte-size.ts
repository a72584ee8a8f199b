/** `10m`, `1.5GiB`, `512 kb`: bytes with binary units, as docker/go-units reads them. */
const SIZE = /^([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?$/i;

/** A number of bytes as people write it; undefined for what is none. */
export function byteSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  const size = Math.trunc(Number(match[1]) * 1024 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '));
  return Number.isSafeInteger(size) ? size : undefined;
}
