import { BLOCK, badTar, type TarHeader, type TarType } from './tar-format.ts';
import { readNumber } from './tar-number.ts';

/** A header block as it stands, before extended headers change it. */
export interface RawHeader extends Omit<TarHeader, 'type'> {
  /** The type flag, one character; `\0` for v7's files. */
  flag: string;
}

const second = 1_000_000_000n;

const types: Record<string, TarType> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  D: 'directory',
  '6': 'fifo',
};

/** What an entry's flag means, `undefined` for flags that are not entries of a file system. */
export function typeOf(flag: string, path: string): TarType | undefined {
  if (flag === '\0' && path.endsWith('/')) return 'directory';
  return types[flag];
}

export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && zeros.equals(block);
}

const zeros = Buffer.alloc(BLOCK);

/** Parses a header block of v7, ustar, star or GNU tar. Throws `invalid` for a wrong checksum or a bad number. */
export function parseBlock(block: Buffer): RawHeader {
  checkSum(block);
  const magic = block.toString('latin1', 257, 265);
  const posix = magic.startsWith('ustar\0');
  const star = posix && block.toString('latin1', 508, 512) === 'tar\0';
  const devices = posix || magic === 'ustar  \0';
  let path = text(block, 0, 100);
  if (posix) {
    const prefix = text(block, 345, star ? 131 : 155);
    if (prefix !== '') path = `${prefix}/${path}`;
  }
  const flag = String.fromCharCode(block[156]!);
  const raw: RawHeader = {
    path,
    flag,
    mode: readNumber(block, 100, 8, 'mode') & 0o7777,
    uid: readNumber(block, 108, 8, 'uid'),
    gid: readNumber(block, 116, 8, 'gid'),
    size: readNumber(block, 124, 12, 'size'),
    mtimeNs: readTime(block),
    link: text(block, 157, 100),
  };
  if (devices && (flag === '3' || flag === '4')) {
    raw.major = readNumber(block, 329, 8, 'major');
    raw.minor = readNumber(block, 337, 8, 'minor');
  }
  return raw;
}

function readTime(block: Buffer): bigint {
  const seconds = readNumber(block, 136, 12, 'mtime');
  if (Math.abs(seconds) >= 1e15) throw badTar('TAR_NUMBER', 'mtime in a tar header is out of range');
  return BigInt(seconds) * second;
}

/** The sum of all bytes, its own field counted as spaces; old writers summed signed bytes. */
function checkSum(block: Buffer): void {
  let unsigned = 0;
  for (let i = 0; i < BLOCK; i++) unsigned += block[i]!;
  for (let i = 148; i < 156; i++) unsigned += 32 - block[i]!;
  const stored = readNumber(block, 148, 8, 'checksum');
  if (stored === unsigned) return;
  let signed = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) signed += (block[i]! << 24) >> 24;
  if (stored !== signed)
    throw badTar('TAR_CHECKSUM', 'wrong checksum of a tar header: not a tar archive, or damaged');
}

/** Bytes up to the first NUL. */
function text(block: Buffer, offset: number, width: number): string {
  let end = offset;
  while (end < offset + width && block[end] !== 0) end++;
  return block.toString('latin1', offset, end);
}
