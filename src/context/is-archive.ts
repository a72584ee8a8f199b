/** Enough to tell a tar header. */
export const MAGIC_BYTES = 512;

/**
 * Whether the first bytes of a stream are those of an archive (SPEC I14): a tar header, whose checksum even old formats
 * have, or the magic number of a compression.
 */
export async function isArchive(start: Buffer): Promise<boolean> {
  const { detectCompression } = await import('../layer/compress.ts');
  if (detectCompression(start) !== 'none') return true;
  if (start.length < MAGIC_BYTES) return false;
  const stored = Number.parseInt(start.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8);
  let sum = 8 * 0x20;
  start.subarray(0, MAGIC_BYTES).forEach((byte, index) => {
    if (index < 148 || index >= 156) sum += byte;
  });
  return sum === stored;
}
