import type { ContextSource } from '../../context/context-source.ts';
import { openDirectoryContext } from '../../context/directory-context.ts';
import type { GitLocation } from '../../context/git/git-location.ts';
import { type FoundCommit, findCommit } from '../../context/git/git-tree.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import { openWebFile, type WebFile } from '../../context/web/web-file.ts';
import { readXattrs } from './read-xattrs.ts';

/** A commit whose files are opened when they are needed. */
export interface FetchedCommit {
  /** Says what the files are, so that what is known of them needs no look; undefined for a shortened id. */
  identity: string | undefined;
  open(): Promise<ContextSource>;
}

/** What ADD fetches in one build: each source once, kept until the build ends. */
export class FetchedSources {
  readonly #access: RemoteAccess;
  readonly #indexDirectory: string;
  readonly #files = new Map<string, Promise<WebFile>>();
  readonly #commits = new Map<string, Promise<FetchedCommit>>();
  readonly #opened: (() => void)[] = [];

  constructor(options: { access: RemoteAccess; indexDirectory: string }) {
    this.#access = options.access;
    this.#indexDirectory = options.indexDirectory;
  }

  /** Errors as `openWebFile`. */
  file(url: string, checksum: string | undefined): Promise<WebFile> {
    return once(this.#files, JSON.stringify([url, checksum]), async () => {
      const file = await openWebFile({ url, checksum }, this.#access);
      this.#opened.push(() => file.release());
      return file;
    });
  }

  /** Errors as `findCommit`. */
  commit(location: GitLocation): Promise<FetchedCommit> {
    return once(this.#commits, JSON.stringify(location), async () => {
      const found = await findCommit(location, this.#access, 'dockerfile');
      let context: Promise<ContextSource> | undefined;
      return {
        identity: found.identity,
        open: () => {
          context ??= this.#open(found, location);
          return context;
        },
      };
    });
  }

  /** Gives all of it back. */
  close(): void {
    for (const release of this.#opened.splice(0)) release();
  }

  async #open(found: FoundCommit, location: GitLocation): Promise<ContextSource> {
    const tree = await found.open();
    this.#opened.push(() => tree.release());
    const context = openDirectoryContext({
      root: tree.root,
      description: location.shortName,
      ignore: false,
      indexDirectory: this.#indexDirectory,
      readXattrs,
    });
    this.#opened.unshift(() => context.close());
    return context;
  }
}

function once<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let made = map.get(key);
  if (made === undefined) {
    made = make();
    map.set(key, made);
  }
  return made;
}
