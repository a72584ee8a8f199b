import { contentOf } from './content.ts';
import { type Entries, type EntryData, modeOf, mtimeOf, ownerOf } from './entries.ts';

const BLOCK = 512;

/**
 * A POSIX tar archive (ustar, with PAX headers for what does not fit and for attributes), written here a second time
 * so that the code under test does not make its own input. Entries stay in their order; paths are taken as they are,
 * `./` and `../` included.
 */
export function makeTar(entries: Entries): Buffer {
  const parts: Buffer[] = [];
  for (const [path, data] of Object.entries(entries)) {
    const entry: EntryData = typeof data === 'string' ? { text: data } : data;
    const content = contentOf(entry);
    const records: [string, Buffer][] = Object.entries(entry.xattrs ?? {}).map(([name, value]) => [
      `SCHILY.xattr.${name}`,
      Buffer.from(value, 'base64'),
    ]);
    const name = Buffer.from('directory' in entry && !path.endsWith('/') ? `${path}/` : path);
    if (name.length > 100) records.push(['path', name]);
    if (records.length > 0) {
      const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
      parts.push(
        header(Buffer.from('PaxHeaders'), { type: 'x', size: body.length }),
        body,
        padding(body.length),
      );
    }
    // A hard link's header says again what its file is like.
    const file = 'hardlink' in entry ? entries[entry.hardlink] : entry;
    const like: EntryData = file === undefined || typeof file === 'string' ? entry : file;
    const likePath = 'hardlink' in entry && file !== undefined ? entry.hardlink : path;
    const link = 'symlink' in entry ? entry.symlink : 'hardlink' in entry ? entry.hardlink : '';
    parts.push(
      header(name.subarray(0, 100), {
        type: typeOf(entry),
        size: content.length,
        mode: modeOf(like),
        ...ownerOf(like),
        mtime: mtimeOf(likePath, like),
        link,
        ...('device' in entry ? { major: entry.major, minor: entry.minor } : {}),
      }),
      content,
      padding(content.length),
    );
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function typeOf(entry: EntryData): string {
  if ('directory' in entry) return '5';
  if ('symlink' in entry) return '2';
  if ('hardlink' in entry) return '1';
  if ('fifo' in entry) return '6';
  return 'device' in entry ? (entry.device === 'char' ? '3' : '4') : '0';
}

interface Fields {
  type: string;
  size: number;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  link?: string;
  major?: number;
  minor?: number;
}

function header(name: Buffer, fields: Fields): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at);
  };
  name.copy(block, 0);
  octal(fields.mode ?? 0o644, 100, 8);
  octal(fields.uid ?? 0, 108, 8);
  octal(fields.gid ?? 0, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.mtime ?? 0, 136, 12);
  block.fill(' ', 148, 156);
  block.write(fields.type, 156);
  block.write(fields.link ?? '', 157);
  block.write('ustar\x0000', 257);
  octal(fields.major ?? 0, 329, 8);
  octal(fields.minor ?? 0, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
