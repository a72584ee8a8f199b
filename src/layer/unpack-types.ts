import type { Aborted } from './abort.ts';
import type { LayerEntry, Overrides } from './types.ts';

/** What a directory of a lower layer is, for entries whose parents the archive does not hold. */
export type DirectoryMetadata = Pick<LayerEntry, 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'>;

export interface UnpackOptions {
  /** Mark opaque directories with `user.overlay.opaque`, as overlayfs mounted with `userxattr` wants it. */
  userxattr?: boolean;
  /**
   * The directory that lies at this path in the layers below, if one does: a parent that the archive has no entry
   * for takes its metadata. Otherwise such a parent is 0755, 0:0, with the time of the entry that needs it.
   */
  lowerDirectory?: (path: string) => DirectoryMetadata | undefined;
  /** Waited for when the archive has ended: only from then on is `lowerDirectory` asked. */
  lowerReady?: () => Promise<void>;
  /** Looked at every few milliseconds; when it says so, the call throws `canceled`. */
  aborted?: Aborted;
  /** Entries of the archive; beyond is `exhausted` (`LAYER_TOO_MANY_ENTRIES`). */
  maxEntries?: number;
  /** Bytes of names, links and attributes, which are kept in memory; beyond: `LAYER_METADATA_TOO_LARGE`. */
  maxMetadata?: number;
  /** Bytes of all files, holes included; beyond is `exhausted` (`LAYER_TOO_LARGE`). */
  maxBytes?: number;
}

export interface UnpackResult {
  /** `sha256:…` of all bytes of the stream. */
  diffId: string;
  /** Bytes of the stream. */
  tarSize: number;
  /** Sum of the file sizes, hard links once. */
  size: number;
  /** What the layer holds, implicit directories too, as `hashLayer` of the directory with `overrides` says it. */
  entries: LayerEntry[];
  overrides: Overrides;
  /** For people: attributes that the file system does not hold. */
  warnings: string[];
}
