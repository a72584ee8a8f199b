import type { RuleLine } from './earlier-rules.ts';
import type { FileTree } from './file-tree.ts';
import type { IgnoreRule } from './ignore-file.ts';
import type { IgnoreRules } from './ignore-rules.ts';

/** The ignore file in force: for messages ("hidden by rule 3 of …"). */
export interface IgnoreFile {
  /** As a person would name it: `.dockerignore`, `build/app.Dockerfile.dockerignore`. */
  name: string;
  text: string;
}

/**
 * Where the files of `COPY`, `ADD` and bind mounts come from; the seam behind which directories, git
 * repositories, archives and standard input stand.
 */
export interface ContextSource {
  /** For messages and records: a path or URL without credentials. */
  readonly description: string;
  /**
   * A directory of this machine that holds the files under their own names, for the worker to read from.
   * Undefined when the build has no context (`build - < Dockerfile`).
   */
  readonly root: string | undefined;
  readonly ignoreFile: IgnoreFile | undefined;
  /** What hides files of a directory; absent where nothing can. */
  readonly rules?: { matcher: IgnoreRules; lines: readonly IgnoreRule[] } | undefined;
  /** The files, after the ignore file. */
  readonly tree: FileTree;
  /** For a name that is not in `tree`: the rule that hid it, if one did. `file` is absent for `ignoreFile`. */
  hiddenBy(path: string): RuleLine | undefined;
  /** Writes what was learned (the fingerprint index) and removes temporary files. */
  close(): void;
}
