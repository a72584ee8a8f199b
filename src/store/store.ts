import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { Database } from './database.ts';
import { containsIdMap } from './id-map.ts';
import { formatPath, indexPath, layersPath, STORE_FOLDERS } from './layout.ts';
import { SCHEMA, STORE_FORMAT } from './schema.ts';
import { upgradeIndex } from './upgrade.ts';

/** A store that is open in this process. The functions of this folder take it. */
export interface Store extends Disposable {
  /** Absolute path. */
  readonly root: string;
  readonly database: Database;
  /** The id map it was made with, see `StoreOptions`. */
  readonly idMap: string;
  close(): void;
}

export interface StoreOptions {
  /** Make the store when there is none. Default true. */
  create?: boolean;
  /**
   * How owners of files in layers are stored: `host` for real root, or the maps of the user namespace, uids and gids
   * (`0:1000:1,1:100000:65536/0:1000:1,1:100000:65536`). A store made with another map is refused, since its files
   * would have other owners; one whose ids are all in the map as they were takes the larger map over, and an empty one any. Undefined takes
   * the store as it is.
   */
  idMap?: string;
}

interface Format {
  version: number;
  idMap: string;
}

/**
 * Opens the store under `root`, making it when there is none. Cheap: one small file is read and one opened.
 *
 * @throws SlipwayError `STORE_NOT_FOUND`, `STORE_FORMAT_NEWER`, `STORE_ID_MAP`, `STORE_DAMAGED`,
 *   `STORE_IN_USE`, `STORE_CANNOT_CREATE`, or an `INDEX_…` of `Database`.
 */
export function openStore(root: string, options: StoreOptions = {}): Store {
  const path = resolve(root);
  let format = readFormat(path);
  if (format === undefined) {
    if (options.create === false) {
      throw new SlipwayError('not-found', `there is no store at ${path}`, { code: 'STORE_NOT_FOUND' });
    }
    createStore(path, options.idMap ?? 'host');
    format = readFormat(path);
    if (format === undefined) throw damaged(path, 'its format file vanished');
  }
  checkVersion(path, format);
  if (options.idMap !== undefined && options.idMap !== format.idMap) {
    if (!containsIdMap(options.idMap, format.idMap) && !isEmpty(path))
      throw otherIdMap(path, format.idMap, options.idMap);
    format = { ...format, idMap: options.idMap };
    replaceFormat(path, format);
  }
  const database = new Database(indexPath(path));
  database.execute('PRAGMA synchronous = NORMAL');
  const close = () => database.close();
  const store: Store = { root: path, database, idMap: format.idMap, close, [Symbol.dispose]: close };
  if (format.version < STORE_FORMAT) {
    try {
      upgradeIndex(store);
      // Last: whoever reads the old number finds that nothing is left to do.
      replaceFormat(path, { ...format, version: STORE_FORMAT });
    } catch (error) {
      close();
      throw error;
    }
  }
  return store;
}

function readFormat(root: string): Format | undefined {
  let text: string;
  try {
    text = readFileSync(formatPath(root), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw new SlipwayError('denied', `the store ${root} cannot be read: ${(error as Error).message}`, {
      code: 'STORE_CANNOT_READ',
      hint: 'Name another store with --root or SLIPWAY_ROOT.',
      cause: error,
    });
  }
  try {
    const value = JSON.parse(text) as Format;
    if (Number.isInteger(value.version) && typeof value.idMap === 'string') return value;
  } catch {
    // Said below, the same way as for JSON of another shape.
  }
  throw damaged(root, 'its format file makes no sense');
}

function checkVersion(root: string, format: Format): void {
  if (format.version > STORE_FORMAT) {
    throw new SlipwayError(
      'unsupported',
      `the store ${root} has format ${format.version}, this Slipway knows formats up to ${STORE_FORMAT}: use a newer Slipway or another --root`,
      { code: 'STORE_FORMAT_NEWER' },
    );
  }
}

function otherIdMap(root: string, made: string, now: string): SlipwayError {
  return new SlipwayError(
    'conflict',
    `the store ${root} was made with the id map ${made} and this process has ${now}: use another --root, or the same user and subordinate ids as before`,
    { code: 'STORE_ID_MAP' },
  );
}

/** No layer has been made in it yet, so no file has an owner by its map. */
function isEmpty(root: string): boolean {
  try {
    return readdirSync(layersPath(root)).length === 0;
  } catch {
    return false;
  }
}

/** Somebody else may do the same at the same time. */
function replaceFormat(root: string, format: Format): void {
  const temporary = join(root, `.format-${randomBytes(8).toString('hex')}`);
  writeFileSync(temporary, `${JSON.stringify(format)}\n`, { flush: true, mode: 0o600 });
  renameSync(temporary, formatPath(root));
}

/** Several processes may do this at once: whoever links a file first has made it, and the format file comes last. */
function createStore(root: string, idMap: string): void {
  const suffix = randomBytes(8).toString('hex');
  const index = join(root, `.index-${suffix}`);
  const format = join(root, `.format-${suffix}`);
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const folder of STORE_FOLDERS) mkdirSync(join(root, folder), { recursive: true, mode: 0o700 });
    for (const folder of STORE_FOLDERS) chmodSync(join(root, folder), 0o700);
    createIndex(index, root);
    linkUnlessThere(index, indexPath(root));
    const content: Format = { version: STORE_FORMAT, idMap };
    writeFileSync(format, `${JSON.stringify(content)}\n`, { flush: true, mode: 0o600 });
    linkUnlessThere(format, formatPath(root));
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    throw new SlipwayError('denied', `the store ${root} cannot be made: ${(error as Error).message}`, {
      code: 'STORE_CANNOT_CREATE',
      hint: 'Name another place with --root or SLIPWAY_ROOT.',
      cause: error,
    });
  } finally {
    removeIndex(index);
    rmSync(format, { force: true });
  }
}

/** WAL where several processes can share memory on this file system, else a rollback journal. */
function createIndex(path: string, root: string): void {
  if (!sharesMemory(root) || !tryWal(path)) fillIndex(path, 'DELETE');
  chmodSync(path, 0o600);
}

/** False where the file system turns out to have no shared memory. */
function tryWal(path: string): boolean {
  try {
    fillIndex(path, 'WAL');
    return true;
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'INDEX_FAILED') throw error;
    removeIndex(path);
    return false;
  }
}

function fillIndex(path: string, journal: 'WAL' | 'DELETE'): void {
  const database = new Database(path, { create: true });
  try {
    // Where SQLite itself knows that WAL cannot be had, it answers with the mode it stays in.
    database.get(`PRAGMA journal_mode = ${journal}`);
    database.execute(`BEGIN; ${SCHEMA} COMMIT;`);
  } finally {
    database.close();
  }
}

function removeIndex(path: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(path + end, { force: true });
}

// statfs(2) types of file systems that several machines may see, where WAL's shared memory is not shared.
const NETWORK_FILE_SYSTEMS = new Set([
  0x6969, // NFS
  0x65735546, // FUSE
  0xff534d42, // CIFS
  0xfe534d42, // SMB2
  0x517b, // SMB
  0x01021997, // 9p
  0x00c36400, // Ceph
  0x5346414f, // AFS
  0x0bd00bd0, // Lustre
]);

function sharesMemory(root: string): boolean {
  return !NETWORK_FILE_SYSTEMS.has(statfsSync(root).type);
}

function linkUnlessThere(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return;
    // Some FUSE file systems have no hard links.
    if (!isErrno(error, 'EPERM') && !isErrno(error, 'ENOTSUP') && !isErrno(error, 'ENOSYS')) throw error;
    if (!existsSync(to)) renameSync(from, to);
  }
}

function damaged(root: string, why: string): SlipwayError {
  return new SlipwayError('corrupt', `the store ${root} is damaged: ${why}`, {
    code: 'STORE_DAMAGED',
    hint: 'Move it away or name another one with --root.',
  });
}
