import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../../src/sys/constants.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { contentOf } from './content.ts';
import {
  defaultMtime,
  type Entries,
  type EntryData,
  modeOf,
  mtimeOf,
  ownerOf,
  sortedEntries,
} from './entries.ts';

/**
 * Makes a directory of entries, as root. Missing parents are made as ordinary directories. Everything's metadata is
 * set, whatever the umask and the clock say; with `owner`, all of it belongs to that user.
 */
export async function makeTree(
  root: string,
  entries: Entries,
  owner?: { uid: number; gid: number },
): Promise<void> {
  const whole: Entries = { '': { directory: true }, ...entries };
  for (const path of Object.keys(entries)) {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
      whole[parent] ??= { directory: true };
    }
  }
  const sorted = sortedEntries(whole);
  for (const [path, entry] of sorted) {
    if (!('hardlink' in entry)) await makeEntry(join(root, path), entry);
  }
  for (const [path, entry] of sorted) {
    if ('hardlink' in entry) linkSync(join(root, entry.hardlink), join(root, path));
    else setMetadata(join(root, path), entry, owner ?? ownerOf(entry));
  }
  for (const [path, entry] of sorted.toReversed()) {
    if ('hardlink' in entry) continue;
    const seconds = path === '' ? (entry.mtime ?? defaultMtime('')) : mtimeOf(path, entry);
    loadSys().utimens(join(root, path), BigInt(seconds) * 1_000_000_000n);
  }
}

async function makeEntry(path: string, entry: EntryData): Promise<void> {
  if ('directory' in entry) mkdirSync(path, { recursive: true });
  else if ('symlink' in entry) symlinkSync(entry.symlink, path);
  else if ('fifo' in entry) loadSys().mknod(path, S_IFIFO | 0o600, 0, 0);
  else if ('socket' in entry) await makeSocket(path);
  else if ('device' in entry) {
    loadSys().mknod(path, (entry.device === 'char' ? S_IFCHR : S_IFBLK) | 0o600, entry.major, entry.minor);
  } else if ('size' in entry) makeSparse(path, entry);
  else writeFileSync(path, contentOf(entry));
}

function makeSparse(path: string, entry: { size: number; data: Record<string, string> }): void {
  const fd = openSync(path, 'wx');
  try {
    ftruncateSync(fd, entry.size);
    for (const [at, text] of Object.entries(entry.data)) writeSync(fd, text, Number(at));
  } finally {
    closeSync(fd);
  }
}

/** A socket's name stays when its server is gone only if nobody closes it: it is made elsewhere and linked here. */
async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.listening`, resolve));
  linkSync(`${path}.listening`, path);
  await new Promise((resolve) => server.close(resolve));
}

function setMetadata(path: string, entry: EntryData, { uid, gid }: { uid: number; gid: number }): void {
  if ('symlink' in entry) {
    lchownSync(path, uid, gid);
    return;
  }
  chownSync(path, uid, gid);
  chmodSync(path, modeOf(entry));
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
    loadSys().lsetxattr(path, name, Buffer.from(value, 'base64'));
  }
}
