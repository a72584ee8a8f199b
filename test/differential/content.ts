import { readFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { debianBusybox, hostBusybox } from '../../tools/base/busybox.ts';
import type { EntryData } from './entries.ts';
import { makeTar } from './make-tar.ts';

let busybox: Buffer | undefined;

/** The bytes of an entry that is a regular file, holes as zeros. */
export function contentOf(entry: EntryData): Buffer {
  if ('text' in entry) return Buffer.from(entry.text);
  if ('base64' in entry) return Buffer.from(entry.base64, 'base64');
  if ('program' in entry) return readBusybox();
  if ('size' in entry) {
    const bytes = Buffer.alloc(entry.size);
    for (const [at, text] of Object.entries(entry.data)) bytes.write(text, Number(at));
    return bytes;
  }
  if ('tar' in entry) {
    const tar = makeTar(entry.tar);
    if (entry.compress === 'gzip') return gzipSync(tar);
    return entry.compress === 'zstd' ? zstdCompressSync(tar) : tar;
  }
  return Buffer.alloc(0);
}

function readBusybox(): Buffer {
  if (busybox !== undefined) return busybox;
  const path = hostBusybox();
  busybox = path === undefined ? debianBusybox() : readFileSync(path);
  if (busybox === undefined)
    throw new Error('the bases of these cases need a static busybox (Debian: busybox-static)');
  return busybox;
}
