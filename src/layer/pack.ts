import { readdirSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { type BytePath, bytesOf, textOf } from '../sys/bytes.ts';
import { loadSys } from '../sys/linux.ts';
import { pathIn } from '../sys/own-directory.ts';
import { throwIfAborted } from './abort.ts';
import { WHOLE_FILE } from './archive-hash.ts';
import { hashPieces } from './hash-pieces.ts';
import { type HashState, STATE_DISTANCE } from './hash-states.ts';
import { ListingIndex } from './listing-index.ts';
import { type DiskNode, NodeReader } from './node-reader.ts';
import type { PackOptions, PackResult } from './pack-options.ts';
import { EMPTY_SHA256, PackOutput, type PackSink } from './pack-output.ts';
import { joinPath } from './paths.ts';
import { sameEntry } from './same-entry.ts';
import type { TarHeader } from './tar-format.ts';
import { endOfArchive } from './tar-write.ts';
import type { LayerEntry } from './types.ts';
import { markPath, OPAQUE_MARK, WHITEOUT_PREFIX } from './whiteout.ts';

/** Format of the archives written here. The same directory and version give the same bytes, for ever. */
export const PACKER_VERSION = 1;

/** Stands for a state until the end. */
const NO_STATE = Buffer.alloc(0);

/** Entries that are as in the archive below so far: they are packed only once it shows where that ends. */
interface Shared {
  states: readonly HashState[];
  /** States that were passed. */
  passed: number;
  /** Entries since the last of them, each with the directory of the stack that has it. */
  since: { entry: LayerEntry; base: BytePath }[];
}

/**
 * Writes a layer directory (an overlayfs upper or lower) as a tar archive, in one pass: whiteouts as `.wh.name`,
 * opaque directories with `.wh..wh..opq`, hard links, devices, attributes that travel; sockets are left out, holes
 * are written as zeros. A layer may lie in several directories, see `below`; it is packed as if all were in one.
 * Deterministic. `dir` is text, paths of the result are bytes.
 *
 * Synchronous, about 45,000 small files a second. Throws `invalid` (`WHITEOUT_NAME`) for a name that would become
 * a whiteout, `changed` (`LAYER_CHANGED`) if a file shrinks meanwhile, `unsupported` (`PATH_TOO_LONG`), `canceled`,
 * or Node's error of the file system.
 */
export function packLayer(dir: string, sink: PackSink | undefined, options: PackOptions = {}): PackResult {
  const { packer = PACKER_VERSION } = options;
  if (packer !== PACKER_VERSION) {
    throw new SlipwayError('unsupported', `this version of Slipway has no packer ${packer}`, {
      code: 'PACKER_VERSION',
    });
  }
  try {
    return new Packer(dir, sink, options).run();
  } catch (error) {
    if (!isErrno(error, 'ENAMETOOLONG')) throw error;
    throw new SlipwayError('unsupported', 'a path in a layer is longer than the kernel lets it be opened', {
      code: 'PATH_TOO_LONG',
      hint: 'Make the tree less deep, or keep the store in a directory with a shorter path.',
      cause: error,
    });
  }
}

/** What `packLayer` says, without the archive. */
export function hashLayer(dir: string, options: PackOptions = {}): PackResult {
  return packLayer(dir, undefined, options);
}

class Packer {
  readonly #base: BytePath;
  /** All directories of the layer, top first. */
  readonly #stack: readonly BytePath[];
  readonly #options: PackOptions;
  readonly #output: PackOutput;
  readonly #reader: NodeReader;
  readonly #clampNs: bigint | undefined;
  /** Of the directories below the top. */
  readonly #listing: ListingIndex | undefined;
  readonly #entries: LayerEntry[] = [];
  /** First name of each inode that has several. */
  readonly #firstNames = new Map<string, LayerEntry>();
  readonly #states: HashState[] = [];
  readonly #keepsStates: boolean;
  /** Files whose digests come at the end. */
  readonly #digested: LayerEntry[] = [];
  #shared: Shared | undefined;
  #size = 0;

  constructor(dir: string, sink: PackSink | undefined, options: PackOptions) {
    this.#base = bytesOf(dir);
    this.#stack = [this.#base, ...(options.below ?? []).toReversed().map(bytesOf)];
    this.#options = options;
    const hash = options.hash ?? hashPieces(options.keepStates ?? false);
    this.#keepsStates = (options.keepStates ?? false) && hash.keepsStates;
    this.#output = new PackOutput(sink, options.aborted, hash);
    this.#reader = new NodeReader(loadSys(), {
      userxattr: options.userxattr ?? false,
      lateAttributes: options.lateAttributes,
    });
    this.#clampNs =
      options.clampMtime === undefined ? undefined : BigInt(options.clampMtime) * 1_000_000_000n;
    const listing = options.listingBelow && new ListingIndex(options.listingBelow);
    if (listing === undefined || listing.hasAnyLinks) return;
    this.#listing = listing;
    const { statesBelow: states } = options;
    if (states !== undefined && this.#keepsStates) this.#shared = { states, passed: 0, since: [] };
  }

  run(): PackResult {
    this.#root();
    this.#directory('', this.#stack);
    this.#diverge();
    if (this.#options.inside === undefined) this.#output.bytes(endOfArchive);
    const { archive, size: tarSize, files, states } = this.#output.finish();
    for (const [at, entry] of this.#digested.entries()) entry.sha256 = files[at]!;
    return {
      diffId: `sha256:${archive}`,
      tarSize,
      size: this.#size,
      packer: PACKER_VERSION,
      entries: this.#entries,
      states: this.#withStates(states),
    };
  }

  #root(): void {
    const { root = { mode: 0o755, uid: 0, gid: 0 } } = this.#options;
    const node = this.#reader.read('', this.#base);
    if (node === undefined || node.entry.type !== 'directory') {
      throw new SlipwayError('invalid', `${textOf(this.#base)} is not a directory`, {
        code: 'NOT_A_DIRECTORY',
      });
    }
    const entry = this.#amend(node.entry);
    const { mode, uid, gid, xattrs, opaque } = entry;
    const plain =
      mode === root.mode && uid === root.uid && gid === root.gid && xattrs === undefined && !opaque;
    if (!plain || this.#options.inside !== undefined) this.#write(entry);
  }

  /** `bases`: the directories of the stack that have this one, top first. */
  #directory(path: BytePath, bases: readonly BytePath[]): void {
    const { known } = this.#options;
    if (known?.path === path) {
      for (const entry of known.entries) this.#amend(entry);
      this.#listed(this.#base, known.entries);
      return;
    }
    if (this.#listing !== undefined && bases.length === 1 && bases[0] !== this.#base) {
      this.#listed(bases[0]!, this.#listing.below(path));
      return;
    }
    const { names, holdersOf } = namesIn(path, bases);
    for (const name of names) {
      const holders = holdersOf?.get(name) ?? bases;
      const child = joinPath(path, name);
      if (name.startsWith(WHITEOUT_PREFIX)) throw whiteoutName(child);
      // Hashing looks at the flag for itself, every few MiB.
      if ((this.#entries.length & 127) === 0) throwIfAborted(this.#options.aborted);
      const base = holders[0]!;
      const listed = base === this.#base ? undefined : this.#listing?.find(child);
      if (listed !== undefined && (listed.type !== 'directory' || holders.length === 1)) {
        this.#listed(base, [listed]);
        if (listed.type === 'directory') this.#directory(child, holders);
        continue;
      }
      const node = this.#reader.read(child, base);
      if (node === undefined || (base !== this.#bottom && this.#isWhiteout(node.entry))) continue;
      const first = node.inode === undefined ? undefined : this.#firstNames.get(node.inode);
      if (first !== undefined) {
        this.#write({ ...first, path: child, hardLink: first.path });
        continue;
      }
      const parts = node.entry.type === 'directory' ? this.#partsOf(node.entry, holders) : [];
      this.#inode(node, base);
      if (node.entry.type === 'directory') this.#directory(child, parts);
    }
  }

  /** Writes what one directory of the stack holds alone, by its listing. */
  #listed(base: BytePath, entries: readonly LayerEntry[]): void {
    for (const entry of entries) {
      if ((this.#entries.length & 127) === 0) throwIfAborted(this.#options.aborted);
      if (!this.#isShared(entry, base)) this.#write(entry, base, { sha256: entry.sha256 });
    }
  }

  /** Takes an entry that comes at the same place in the archive below without packing it. */
  #isShared(entry: LayerEntry, base: BytePath): boolean {
    const shared = this.#shared;
    if (shared === undefined) return false;
    const { states, since } = shared;
    const other = this.#listing!.entries[this.#entries.length];
    if (other === undefined || !(other === entry || (entry.type !== 'file' && sameEntry(entry, other)))) {
      this.#diverge();
      return false;
    }
    if (states[shared.passed]?.entry === this.#entries.length) {
      shared.passed++;
      since.length = 0;
    }
    this.#entries.push(entry);
    since.push({ entry, base });
    return true;
  }

  /** From here on everything is packed, beginning behind the last state that was passed. */
  #diverge(): void {
    const shared = this.#shared;
    if (shared === undefined) return;
    this.#shared = undefined;
    const { states, passed, since } = shared;
    const from = states[passed - 1];
    if (from !== undefined) {
      this.#output.resumeAt(from);
      this.#size = from.size;
      this.#states.push(...states.slice(0, passed));
    }
    this.#entries.length -= since.length;
    for (const { entry, base } of since) this.#write(entry, base, { sha256: entry.sha256 });
  }

  #keepState(): void {
    const { offset } = this.#output;
    if (offset - (this.#states.at(-1)?.offset ?? 0) < STATE_DISTANCE) return;
    this.#output.keepState();
    this.#states.push({ entry: this.#entries.length, offset, size: this.#size, state: NO_STATE });
  }

  /** Those that were taken over have theirs. */
  #withStates(kept: readonly Buffer[]): HashState[] {
    const before = this.#states.length - kept.length;
    return this.#states.map((each, at) => (at < before ? each : { ...each, state: kept[at - before]! }));
  }

  get #bottom(): BytePath {
    return this.#stack.at(-1)!;
  }

  #isWhiteout({ path, type }: LayerEntry): boolean {
    return type === 'whiteout' || this.#options.overrides?.get(path)?.type === 'whiteout';
  }

  /** The directories that make up one of the stack. Marks between them are not for the archive. */
  #partsOf(entry: LayerEntry, holders: readonly BytePath[]): BytePath[] {
    const parts: BytePath[] = [];
    for (const base of holders) {
      const at = parts.length === 0 ? entry : this.#reader.read(entry.path, base)?.entry;
      if (at?.type !== 'directory') break;
      parts.push(base);
      if (!at.opaque || base === this.#bottom) continue;
      delete at.opaque;
      break;
    }
    return parts;
  }

  /** Writes the first name of an inode. */
  #inode({ entry, inode, isBare }: DiskNode, base: BytePath): void {
    this.#amend(entry);
    if (inode !== undefined) this.#firstNames.set(inode, entry);
    const sha256 = base === this.#base ? undefined : this.#listing?.find(entry.path)?.sha256;
    this.#write(entry, base, { sha256, isBare });
  }

  /** The entry with what was recorded in place of what the disk holds, and with its time clamped. */
  #amend(entry: LayerEntry): LayerEntry {
    const override = this.#options.overrides?.get(entry.path);
    if (override !== undefined) {
      delete entry.xattrs;
      Object.assign(entry, override);
      if (entry.type !== 'file') entry.size = 0;
    }
    const clamp = this.#clampNs;
    if (clamp !== undefined && entry.mtimeNs > clamp) entry.mtimeNs = clamp;
    return entry;
  }

  /** `base`: the directory that has it. `known.sha256`: the digest of its content, where that is known. */
  #write(entry: LayerEntry, base = this.#base, known: KnownContent = {}): void {
    if (this.#isShared(entry, this.#base)) return;
    if (this.#keepsStates) this.#keepState();
    this.#entries.push(entry);
    const { type, mode, uid, gid, mtimeNs, xattrs } = entry;
    const path = this.#placed(entry.path);
    const hardLink = entry.hardLink === undefined ? undefined : this.#placed(entry.hardLink);
    const output = this.#output;
    if (hardLink !== undefined) {
      delete entry.sha256;
      output.header({ path, type: 'hardlink', mode, uid, gid, size: 0, mtimeNs, link: hardLink });
      return;
    }
    if (type === 'whiteout') {
      output.header(markHeader(markPath(path)));
      return;
    }
    const header: TarHeader = { path, type, mode, uid, gid, size: 0, mtimeNs, xattrs };
    switch (type) {
      case 'directory':
        header.path = path === '' ? './' : `${path}/`;
        break;
      case 'symlink':
        header.link = entry.link!;
        break;
      case 'char':
      case 'block':
        header.major = entry.major ?? 0;
        header.minor = entry.minor ?? 0;
        break;
      case 'file':
        header.size = entry.size;
    }
    output.header(header);
    if (type === 'file') this.#content(entry, base, known);
    else if (entry.opaque) output.header(markHeader(joinPath(path, OPAQUE_MARK)));
  }

  /** A path as the archive has it. */
  #placed(path: BytePath): BytePath {
    const { inside } = this.#options;
    if (inside === undefined) return path;
    return path === '' ? inside : joinPath(inside, path);
  }

  #content(entry: LayerEntry, base: BytePath, { sha256, isBare = false }: KnownContent): void {
    const { path, size } = entry;
    const { digests = 'all' } = this.#options;
    const isDigested = digests === 'all' || (digests === 'small' && size <= WHOLE_FILE);
    const known = size === 0 ? EMPTY_SHA256 : sha256;
    const read =
      size === 0
        ? undefined
        : this.#output.content({ base, path, isBare }, size, isDigested && known === undefined);
    const digest = known ?? read;
    if (isDigested && digest !== undefined) entry.sha256 = digest;
    else if (isDigested) this.#digested.push(entry);
    this.#size += size;
  }
}

interface KnownContent {
  sha256?: string | undefined;
  isBare?: boolean | undefined;
}

interface NamesIn {
  /** In order. */
  names: BytePath[];
  /** Which directories of the stack have each, top first; absent where there is only one. */
  holdersOf?: ReadonlyMap<BytePath, readonly BytePath[]>;
}

/** Names of a directory. */
function namesIn(path: BytePath, bases: readonly BytePath[]): NamesIn {
  const list = (base: BytePath) => readdirSync(pathIn(base, path), 'latin1') as BytePath[];
  if (bases.length === 1) return { names: list(bases[0]!).sort() };
  const holdersOf = new Map<BytePath, BytePath[]>();
  for (const base of bases) {
    for (const name of list(base)) {
      const known = holdersOf.get(name);
      if (known === undefined) holdersOf.set(name, [base]);
      else known.push(base);
    }
  }
  return { names: [...holdersOf.keys()].sort(), holdersOf };
}

/** A whiteout or opaque mark: an empty file that has nothing of the machine or the moment in it. */
function markHeader(path: BytePath) {
  return { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n } as const;
}

function whiteoutName(path: BytePath): SlipwayError {
  return new SlipwayError(
    'invalid',
    `/${textOf(path)}: a layer cannot hold a file whose name starts with .wh.`,
    {
      code: 'WHITEOUT_NAME',
      hint: 'In image layers such a name deletes a file of the layers below; rename the file.',
    },
  );
}
