/**
 * Files as data: what git cannot hold (owners, modes, times, links, devices, holes, archives) and what has to be the
 * same on every machine. A context, a base image and an archive inside a context are all written down like this.
 */

/** Path (no leading slash) to what is there. A string is a file's text. */
export type Entries = Record<string, EntryData | string>;

interface Common {
  /** Octal text; default 0755 for directories, 0644 for the rest. */
  mode?: string;
  /** Default 0:0. */
  owner?: string;
  /** Seconds since 1970; default {@link defaultMtime}. */
  mtime?: number;
  /** Values are base64. */
  xattrs?: Record<string, string>;
}

export type EntryData = Common &
  (
    | { directory: true }
    | { text: string }
    | { base64: string }
    /** The machine's static busybox; the listings leave its content out. */
    | { program: 'busybox' }
    /** A file of `size` bytes that is a hole but for the texts in `data`, by position. */
    | { size: number; data: Record<string, string> }
    | { symlink: string }
    | { hardlink: string }
    | { fifo: true }
    | { socket: true }
    | { device: 'char' | 'block'; major: number; minor: number }
    /** A tar archive, its entries in this order. */
    | { tar: Entries; compress?: 'gzip' | 'zstd' }
  );

/** Parents first, names sorted: an entry as an object whose type is clear. */
export function sortedEntries(entries: Entries): [path: string, entry: EntryData][] {
  return Object.entries(entries)
    .map(([path, entry]): [string, EntryData] => [path, typeof entry === 'string' ? { text: entry } : entry])
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** A time that tells names apart: a test can see whose time was taken over. */
export function defaultMtime(path: string): number {
  return 1_000_000_000 + [...Buffer.from(path)].reduce((sum, byte, index) => sum + byte * (index + 1), 0);
}

export function mtimeOf(path: string, entry: EntryData): number {
  return entry.mtime ?? defaultMtime(path);
}

export function modeOf(entry: EntryData): number {
  return entry.mode === undefined ? ('directory' in entry ? 0o755 : 0o644) : Number.parseInt(entry.mode, 8);
}

export function ownerOf(entry: EntryData): { uid: number; gid: number } {
  const [uid = 0, gid = 0] = (entry.owner ?? '0:0').split(':').map(Number);
  return { uid, gid };
}
