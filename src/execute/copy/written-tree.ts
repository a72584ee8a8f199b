import type { LayerEntry } from '../../layer/types.ts';
import type { CopyOperation } from '../../plan/types.ts';
import type { BytePath } from '../../sys/bytes.ts';
import type { SelectedFile, SelectedSource } from '../executor.ts';
import { filesOf } from '../protocol/packed-files.ts';
import type { Owner } from '../step/metadata-keeper.ts';
import { attributesOf, type CopyAttributes, modeOf, ownerOf } from './copy-attributes.ts';

/** What the threads of a COPY tell one another of each selected name, in their order. In shared memory. */
export interface WrittenNames {
  /** Nanoseconds since 1970. */
  times: BigInt64Array;
  /** 1 where the name is on disk exactly as it was meant, which was looked at when it was done. */
  exact: Uint8Array;
}

/** A directory of a new layer of which everything is known. Plain data. */
export interface WrittenTree {
  /** Path in the layer. */
  path: BytePath;
  source: SelectedSource;
  operation: Pick<CopyOperation, 'chmod'>;
  owner: Owner | undefined;
  keepOwner: boolean;
  times: BigInt64Array;
}

/** Types that are the same in a layer as in a selection. */
const KNOWN_TYPES = new Set<SelectedFile['type']>(['file', 'directory', 'symlink']);

export function openWrittenNames(count: number): WrittenNames {
  return {
    times: new BigInt64Array(new SharedArrayBuffer(8 * count)),
    exact: new Uint8Array(new SharedArrayBuffer(count)),
  };
}

/** Notes that a name is as it was meant; without a time it is not. */
export function noteWritten({ times, exact }: WrittenNames, at: number, mtimeNs: bigint | undefined): void {
  if (mtimeNs === undefined || BigInt.asIntN(64, mtimeNs) !== mtimeNs) return;
  times[at] = mtimeNs;
  exact[at] = 1;
}

/** Whether a name of a layer is wholly described by its selection and its time. */
export function isDescribed({ type, hardLink, xattrs }: SelectedFile): boolean {
  return hardLink === undefined && xattrs === undefined && KNOWN_TYPES.has(type);
}

/** What the packer would find below the directory, in no particular order. */
export function* writtenEntries(tree: WrittenTree): Generator<LayerEntry> {
  const { path: directory, source, operation, owner, keepOwner, times } = tree;
  const attributes = attributesOf(operation, keepOwner, owner);
  let at = 0;
  for (const file of filesOf(source))
    yield entryOf(file, `${directory}/${file.path}`, attributes, times[at++]!);
}

function entryOf(
  file: SelectedFile,
  path: BytePath,
  attributes: CopyAttributes,
  mtimeNs: bigint,
): LayerEntry {
  const { uid, gid } = ownerOf(file, attributes);
  const common = { path, uid, gid, mtimeNs };
  switch (file.type) {
    case 'file':
      return {
        ...common,
        type: 'file',
        mode: modeOf(file, attributes),
        size: file.size,
        sha256: file.sha256!,
      };
    case 'directory':
      return { ...common, type: 'directory', mode: modeOf(file, attributes), size: 0 };
    default:
      // The kernel gives every link these bits.
      return { ...common, type: 'symlink', mode: 0o777, size: 0, link: file.link! };
  }
}
