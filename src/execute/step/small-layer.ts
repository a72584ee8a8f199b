import { lstatSync, readdirSync } from 'node:fs';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';

/** Below this a layer is hashed at once: handing it to a thread would take longer (starting one is 40 ms). */
const SMALL_ENTRIES = 256;
const SMALL_BYTES = 4 * 1024 * 1024;

/** Bytes of a path that the kernel takes at once, its NUL included. */
const PATH_MAX = 4096;

/** Whether there is little in a layer's directory. Looks at no more than it takes to tell. */
export function isSmallLayer(directory: string): boolean {
  let entries = 0;
  let bytes = 0;
  const waiting: BytePath[] = [bytesOf(directory)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    // Packing says what is wrong with a path that cannot be opened.
    if (path.length >= PATH_MAX) return false;
    for (const entry of readdirSync(bufferOf(path), { withFileTypes: true, encoding: 'buffer' })) {
      const name = `${path}/${entry.name.toString('latin1')}`;
      if (++entries > SMALL_ENTRIES) return false;
      if (entry.isDirectory()) waiting.push(name);
      else if (entry.isFile() && name.length < PATH_MAX) bytes += lstatSync(bufferOf(name)).size;
      if (bytes > SMALL_BYTES) return false;
    }
  }
  return true;
}
