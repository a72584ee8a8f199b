import type { BytePath } from '../sys/bytes.ts';
import type { ContextSource } from './context-source.ts';
import type { FileNode } from './file-tree.ts';

export interface SelectionRequest {
  /** As on the instruction's line, expanded; not cleaned. */
  sources: readonly string[];
  /** `COPY --parents`. */
  parents?: boolean;
  /** `--exclude` patterns. */
  exclude?: readonly string[];
  /** For bind mounts: a directory's entries begin with the directory itself, since its mode and owner can be seen. */
  withRoot?: boolean;
  /** Where the files come from, for messages: `the build context`, `stage "build"`. */
  where: string;
  /** The context, when the files come from one: its ignore file may have hidden a source. */
  context?: Pick<ContextSource, 'hiddenBy' | 'ignoreFile' | 'root'>;
  /**
   * For whoever will ask for the digest of what is selected: called, some time before the end, when there are many
   * files (`MANY_NEW_FILES`) that nobody has read yet.
   */
  onNewFiles?: (() => void) | undefined;
  signal?: AbortSignal;
}

/** What an instruction copies, in the order in which it does. */
export interface Selection {
  sources: SelectedSource[];
}

/** One thing that a source names: a wildcard may name several. */
export interface SelectedSource {
  /** The source as written. */
  source: string;
  /** Where it lies in the tree, all symbolic links resolved. */
  path: BytePath;
  /** Name it gets in a destination that is a directory: the one written or matched, also for a followed link. */
  name: BytePath;
  /** What is at `path`. For a directory only its modification time is used (SPEC C20). */
  node: FileNode;
  /** A directory's content without the directory itself (SPEC C6), or the one file with an empty path. */
  entries: SelectedEntry[];
  /** The entries are all that the tree has below `path`. */
  whole?: boolean;
}

export interface SelectedEntry {
  /** Relative to the source's `path`. */
  path: BytePath;
  node: FileNode;
}
