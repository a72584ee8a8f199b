const BLOCK = 512;

/** One entry of an archive. Paths and links are bytes, as latin1 text. */
export interface ArchiveEntry {
  path: string;
  /** Type flag of the format: '0' file, '1' hard link, '2' symbolic link, '3' char, '4' block, '5' directory, '6' fifo. */
  type: string;
  mode: number;
  uid: number;
  gid: number;
  /** Whole seconds: the engine's archives hold no fractions. */
  mtime: number;
  link: string;
  major: number;
  minor: number;
  xattrs: Record<string, Buffer>;
  content: Buffer;
}

/**
 * Reads a whole archive: ustar, PAX and GNU long names, which is what image archives are made of. A reader of its own,
 * so that the comparison does not trust the code that it is to check. Throws Error for what it does not know.
 */
export function readTar(archive: Buffer): ArchiveEntry[] {
  const entries: ArchiveEntry[] = [];
  let pax = new Map<string, Buffer>();
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const block = archive.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) break;
    if (block.toString('latin1', 257, 262) !== 'ustar') throw new Error(`no tar header at byte ${at}`);
    const type = block.toString('latin1', 156, 157);
    const size = Number(pax.get('size') ?? numberAt(block, 124, 12));
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') {
      for (const [key, value] of paxRecords(content)) pax.set(key, value);
      continue;
    }
    if (type === 'L' || type === 'K') {
      pax.set(type === 'L' ? 'path' : 'linkpath', content.subarray(0, content.length - 1));
      continue;
    }
    if (!/[0-6\0]/.test(type)) throw new Error(`unknown type ${type} in an archive`);
    const text = (key: string): string | undefined => pax.get(key)?.toString('latin1');
    entries.push({
      path: text('path') ?? ustarName(block),
      type: type === '\0' ? '0' : type,
      mode: numberAt(block, 100, 8) & 0o7777,
      uid: Number(text('uid') ?? numberAt(block, 108, 8)),
      gid: Number(text('gid') ?? numberAt(block, 116, 8)),
      mtime: Math.floor(Number(text('mtime') ?? numberAt(block, 136, 12))),
      link: text('linkpath') ?? textAt(block, 157, 100),
      major: numberAt(block, 329, 8),
      minor: numberAt(block, 337, 8),
      xattrs: Object.fromEntries(
        [...pax].flatMap(([key, value]) => (key.startsWith('SCHILY.xattr.') ? [[key.slice(13), value]] : [])),
      ),
      content: type === '0' || type === '\0' ? content : Buffer.alloc(0),
    });
    pax = new Map();
  }
  return entries;
}

function ustarName(block: Buffer): string {
  const prefix = block.toString('latin1', 263, 265) === '00' ? textAt(block, 345, 155) : '';
  return prefix === '' ? textAt(block, 0, 100) : `${prefix}/${textAt(block, 0, 100)}`;
}

function textAt(block: Buffer, at: number, length: number): string {
  return block.toString('latin1', at, at + length).replace(/\0.*$/s, '');
}

/** Octal text, or GNU's base-256 for what is too large. */
function numberAt(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) return block.readUIntBE(at + length - 6, 6);
  return Number.parseInt(textAt(block, at, length).trim() || '0', 8);
}

function* paxRecords(body: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(32, at);
    const end = at + Number(body.toString('latin1', at, space));
    const equals = body.indexOf(61, space);
    yield [body.toString('latin1', space + 1, equals), body.subarray(equals + 1, end - 1)];
    at = end;
  }
}
