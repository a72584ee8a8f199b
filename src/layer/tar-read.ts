import type { BytePath } from '../sys/bytes.ts';
import { isZeroBlock, parseBlock, type RawHeader, typeOf } from './tar-block.ts';
import { BLOCK, badTar, paddingOf, type TarHandler, type TarHeader, tarLimits } from './tar-format.ts';
import { readNumber } from './tar-number.ts';
import {
  decodePax,
  decodeXattrRecord,
  type PaxRecords,
  parsePaxNumber,
  parsePaxPath,
  parsePaxTime,
} from './tar-pax.ts';
import { checkAreas, pairAreas, readGnuAreas, type SparseArea, SparseMapReader } from './tar-sparse.ts';

interface Special {
  flag: string;
  body: Buffer;
  filled: number;
}

/**
 * Parses an archive that is pushed in chunks of any size: v7, ustar, star, GNU (long names, base-256 numbers,
 * sparse) and PAX (local and global headers, sparse 0.0, 0.1 and 1.0). All names are bytes.
 *
 * Throws `invalid` for what is not an archive, `TAR_TRUNCATED` from `end()` when it stops inside an entry.
 */
export class TarReader {
  readonly #handler: TarHandler;
  readonly #partial = Buffer.alloc(BLOCK);
  #partialLength = 0;
  #expect: 'header' | 'gnu-sparse' | 'sparse-map' = 'header';
  #zeroBlocks = 0;
  #special: Special | undefined;
  #global = new Map<string, Buffer>();
  #globalSize = 0;
  #local: PaxRecords | undefined;
  #longPath: BytePath | undefined;
  #longLink: BytePath | undefined;
  /** The entry whose sparse areas are still being read. */
  #pending: { header: TarHeader; stored: number; map: SparseMapReader } | undefined;
  #areas: SparseArea[] | undefined;
  #area = 0;
  #areaDone = 0;
  /** Content of the entry that is still to come, in bytes of the archive, and what of it has come. */
  #remaining = 0;
  #position = 0;
  #padding = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** True once the end of the archive was seen; what is written after it is ignored. */
  get ended(): boolean {
    return this.#zeroBlocks >= 2;
  }

  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.ended) {
      if (this.#remaining > 0) {
        const take = Math.min(this.#remaining, chunk.length - at);
        this.#remaining -= take;
        this.#content(take === chunk.length ? chunk : chunk.subarray(at, at + take));
        at += take;
      } else if (this.#padding > 0) {
        const take = Math.min(this.#padding, chunk.length - at);
        this.#padding -= take;
        at += take;
      } else if (this.#partialLength === 0 && chunk.length - at >= BLOCK) {
        this.#block(chunk.subarray(at, at + BLOCK));
        at += BLOCK;
      } else {
        const take = Math.min(BLOCK - this.#partialLength, chunk.length - at);
        chunk.copy(this.#partial, this.#partialLength, at, at + take);
        this.#partialLength += take;
        at += take;
        if (this.#partialLength === BLOCK) {
          this.#partialLength = 0;
          this.#block(this.#partial);
        }
      }
    }
  }

  /** Says that nothing more comes. An archive may end without its two zero blocks, but not inside an entry. */
  end(): void {
    if (this.ended) return;
    const inside =
      this.#remaining > 0 ||
      this.#padding > 0 ||
      this.#partialLength > 0 ||
      this.#expect !== 'header' ||
      this.#local !== undefined ||
      this.#longPath !== undefined ||
      this.#longLink !== undefined;
    if (inside) throw badTar('TAR_TRUNCATED', 'the tar archive ends in the middle of an entry');
  }

  #block(block: Buffer): void {
    if (this.#expect === 'gnu-sparse') {
      if (!readGnuAreas(block, 0, 21, this.#areas!)) this.#startSparse();
      return;
    }
    if (this.#expect === 'sparse-map') {
      const { map, stored } = this.#pending!;
      const areas = map.push(block);
      if (map.size > stored) throw badTar('TAR_SPARSE', 'the map of a sparse file is longer than its entry');
      if (areas === undefined) return;
      this.#areas = areas;
      this.#startSparse();
      return;
    }
    if (isZeroBlock(block)) {
      this.#zeroBlocks++;
      return;
    }
    if (this.#zeroBlocks > 0) throw badTar('TAR_ZERO_BLOCK', 'a lone zero block inside a tar archive');
    this.#header(parseBlock(block), block);
  }

  #header(raw: RawHeader, block: Buffer): void {
    switch (raw.flag) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K':
        this.#startSpecial(raw);
        return;
      case 'V':
      case 'A':
      case 'I':
        // A volume label and Solaris' attributes say nothing about files.
        this.#skip(raw.size);
        return;
    }
    const records = this.#takeRecords();
    const header = applyRecords(raw, records);
    if (this.#longPath !== undefined && !records.has('path')) header.path = this.#longPath;
    if (this.#longLink !== undefined && !records.has('linkpath')) header.link = this.#longLink;
    this.#longPath = undefined;
    this.#longLink = undefined;
    const type = typeOf(raw.flag, header.path);
    if (type === undefined) {
      throw badTar(
        'TAR_TYPE',
        `a tar entry has the type ${JSON.stringify(raw.flag)}, which is not supported`,
      );
    }
    header.type = type;
    if (type !== 'symlink' && type !== 'hardlink') delete header.link;
    if (header.size < 0) throw badTar('TAR_NUMBER', 'negative size in a tar header');
    for (const key of ['uid', 'gid'] as const) {
      // The largest 32-bit number is no id: chown takes it for "leave as it is".
      if (header[key] < 0 || header[key] >= 0xffffffff) {
        throw badTar('TAR_NUMBER', `${key} in a tar header is out of range`);
      }
    }
    const stored = header.size;
    if (raw.flag === 'D') {
      // A GNU dump directory: its content lists names.
      header.size = 0;
      this.#entry(header, 0);
      this.#skip(stored);
      return;
    }
    if (type !== 'file') {
      header.size = 0;
      this.#entry(header, 0);
      return;
    }
    if (raw.flag === 'S') {
      header.size = readNumber(block, 483, 12, 'real size');
      if (header.size < 0) throw badTar('TAR_NUMBER', 'negative size in a tar header');
      this.#areas = [];
      this.#pending = { header, stored, map: new SparseMapReader() };
      if (readGnuAreas(block, 386, 4, this.#areas)) this.#expect = 'gnu-sparse';
      else this.#startSparse();
      return;
    }
    this.#startPaxFile(header, stored, records);
  }

  #startPaxFile(header: TarHeader, stored: number, records: Map<string, Buffer>): void {
    const realSize = records.get('GNU.sparse.realsize') ?? records.get('GNU.sparse.size');
    const name = records.get('GNU.sparse.name');
    if (realSize === undefined) {
      this.#entry(header, stored);
      return;
    }
    if (name !== undefined) header.path = parsePaxPath('GNU.sparse.name', name);
    header.size = parsePaxNumber('GNU.sparse.realsize', realSize);
    this.#pending = { header, stored, map: new SparseMapReader() };
    const map = records.get('GNU.sparse.map');
    if (records.get('GNU.sparse.major')?.toString('latin1') === '1') {
      this.#expect = 'sparse-map';
      if (stored < BLOCK) throw badTar('TAR_SPARSE', 'a sparse file without a map');
      return;
    }
    if (map === undefined) throw badTar('TAR_SPARSE', 'a sparse file without a map');
    const text = map.toString('latin1');
    this.#areas = pairAreas(text === '' ? [] : text.split(','));
    this.#startSparse();
  }

  #startSparse(): void {
    const { header, stored, map } = this.#pending!;
    this.#pending = undefined;
    this.#expect = 'header';
    const content = stored - map.size;
    const areas = this.#areas!;
    checkAreas(areas, header.size, content);
    this.#areas = areas.filter((area) => area.length > 0);
    this.#entry(header, content);
  }

  #entry(header: TarHeader, stored: number): void {
    this.#area = 0;
    this.#areaDone = 0;
    this.#position = 0;
    this.#remaining = stored;
    this.#padding = paddingOf(stored);
    this.#handler.entry(header);
    if (stored === 0) this.#finish();
  }

  #finish(): void {
    this.#areas = undefined;
    this.#handler.end();
  }

  #skip(size: number): void {
    this.#padding = size + paddingOf(size);
  }

  #startSpecial(raw: RawHeader): void {
    if (raw.size > tarLimits.extendedHeader || raw.size < 0) {
      throw badTar(
        'TAR_HEADER_TOO_LARGE',
        `an extended tar header is larger than ${tarLimits.extendedHeader} bytes`,
      );
    }
    this.#special = { flag: raw.flag, body: Buffer.allocUnsafe(raw.size), filled: 0 };
    this.#remaining = raw.size;
    this.#padding = paddingOf(raw.size);
    if (raw.size === 0) this.#endSpecial();
  }

  #endSpecial(): void {
    const { flag, body } = this.#special!;
    this.#special = undefined;
    if (flag === 'L' || flag === 'K') {
      const end = body.indexOf(0);
      const path = parsePaxPath('a long name', end < 0 ? body : body.subarray(0, end));
      if (flag === 'L') this.#longPath = path;
      else this.#longLink = path;
    } else if (flag === 'g') {
      this.#globalSize += body.length;
      if (this.#globalSize > tarLimits.extendedHeader) {
        throw badTar(
          'TAR_HEADER_TOO_LARGE',
          `the global tar headers are larger than ${tarLimits.extendedHeader} bytes`,
        );
      }
      for (const [key, value] of decodePax(body)) {
        if (value.length === 0) this.#global.delete(key);
        else this.#global.set(key, value);
      }
    } else {
      this.#local = decodePax(body);
    }
  }

  #content(chunk: Buffer): void {
    const special = this.#special;
    if (special !== undefined) {
      chunk.copy(special.body, special.filled);
      special.filled += chunk.length;
      if (this.#remaining === 0) this.#endSpecial();
      return;
    }
    if (this.#areas === undefined) {
      this.#handler.data(chunk, this.#position);
      this.#position += chunk.length;
    } else {
      this.#sparseContent(chunk, this.#areas);
    }
    if (this.#remaining === 0) this.#finish();
  }

  #sparseContent(chunk: Buffer, areas: SparseArea[]): void {
    for (let at = 0; at < chunk.length; ) {
      const { offset, length } = areas[this.#area]!;
      const take = Math.min(length - this.#areaDone, chunk.length - at);
      this.#handler.data(chunk.subarray(at, at + take), offset + this.#areaDone);
      at += take;
      this.#areaDone += take;
      if (this.#areaDone === length) {
        this.#area++;
        this.#areaDone = 0;
      }
    }
  }

  /** Global records, overlaid by the local ones; an empty local value takes the global one away. */
  #takeRecords(): Map<string, Buffer> {
    const local = this.#local;
    this.#local = undefined;
    if (local === undefined) return this.#global;
    const records = new Map(this.#global);
    const offsets: string[] = [];
    for (const [key, value] of local) {
      // Format 0.0 repeats these two keys, once for each area.
      if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
        offsets.push(value.toString('latin1'));
      else if (value.length === 0 && !key.includes('.xattr.')) records.delete(key);
      else records.set(key, value);
    }
    if (offsets.length > 0 && !records.has('GNU.sparse.map')) {
      records.set('GNU.sparse.map', Buffer.from(offsets.join(',')));
    }
    return records;
  }
}

function applyRecords({ flag, ...raw }: RawHeader, records: Map<string, Buffer>): TarHeader {
  const header: TarHeader = { ...raw, type: 'file' };
  for (const [key, value] of records) {
    switch (key) {
      case 'path':
        header.path = parsePaxPath(key, value);
        break;
      case 'linkpath':
        header.link = parsePaxPath(key, value);
        break;
      case 'size':
      case 'uid':
      case 'gid':
        header[key] = parsePaxNumber(key, value);
        break;
      case 'mtime':
        header.mtimeNs = parsePaxTime(value);
        break;
      default: {
        const xattr = decodeXattrRecord(key, value);
        if (xattr === undefined) break;
        header.xattrs ??= new Map();
        // libarchive writes both forms; the raw one is the exact one.
        if (key.startsWith('SCHILY.') || !header.xattrs.has(xattr[0])) header.xattrs.set(xattr[0], xattr[1]);
      }
    }
  }
  return header;
}
