/** How git reaches a repository. */
export type GitTransport = 'https' | 'http' | 'git' | 'ssh' | 'file';

/** A git repository and what is wanted of it, as a build's arguments and ADD name it (SPEC 1.12 A7). Plain data. */
export interface GitLocation {
  /** For git: without user name and password, query and fragment. */
  remote: string;
  transport: GitTransport;
  /** Host and port; empty for `file`. */
  host: string;
  /** `user:password` of an http or https URL, as it stood there. Never shown. */
  userinfo?: string | undefined;
  /** Last element of the path without `.git`. */
  shortName: string;
  /** Branch, tag, commit id or full name of a ref; undefined is the default branch. */
  ref?: string | undefined;
  /** As written. */
  subdir?: string | undefined;
  /** Commit id, or the beginning of one, that `ref` must be. */
  checksum?: string | undefined;
  keepGitDir?: boolean | undefined;
  submodules?: boolean | undefined;
  /** What files are dated: when they were checked out (the default), or when the commit was made. */
  mtime?: 'checkout' | 'commit' | undefined;
  /** `checksum` is fetched as it is and not compared with `ref`. */
  fetchByCommit?: boolean | undefined;
  /** `github.com/…` could be a path as well: not for ADD. */
  likeLocal?: boolean | undefined;
}
