import { parseGoBoolean } from '../dockerfile/go-text.ts';
import type { SlipwayError } from '../errors/index.ts';
import { parseInteger } from './flags/go-values.ts';

/** Makes the error of whoever has these keys: outputs and caches. */
export type InvalidKey = (message: string, hint?: string) => SlipwayError;

/** Least and most of each compression that has levels. */
const LEVELS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  gzip: [0, 9],
  zstd: [0, 22],
};

/** The value of `compression=`; `what` begins the refusal of one that is not there. */
export function readCompression(
  value: string,
  what: string,
  invalid: InvalidKey,
): 'uncompressed' | 'gzip' | 'zstd' {
  if (value === 'uncompressed' || value === 'gzip' || value === 'zstd') return value;
  if (value === 'estargz') {
    throw invalid(
      `${what}compression=estargz is not supported: layers are written uncompressed or with gzip or zstd`,
    );
  }
  throw invalid(`unsupported compression type ${value}`, 'They are uncompressed, gzip and zstd.');
}

/** The value of `compression-level=`. */
export function readLevel(value: string, invalid: InvalidKey): number {
  try {
    return parseInteger(value);
  } catch {
    throw invalid(`non-integer value ${value} specified for compression-level`);
  }
}

/** Refuses a level that the compression does not have. */
export function checkLevel(level: number, compression: string | undefined, invalid: InvalidKey): void {
  const range = LEVELS[compression ?? ''];
  if (range === undefined) throw invalid('compression-level needs compression=gzip or compression=zstd');
  const [least, most] = range;
  if (level >= least && level <= most) return;
  throw invalid(`compression-level ${level} is out of range for ${compression}: ${least} to ${most}`);
}

/** `strconv.ParseBool`, whose failure buildx words in its own way. */
export function readBoolean(key: string, text: string, invalid: InvalidKey): boolean {
  const value = parseGoBoolean(text);
  if (value === undefined) throw invalid(`non-bool value specified for ${key}`);
  return value;
}
