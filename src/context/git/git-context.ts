import { redactUrl } from '../../errors/redact-url.ts';
import type { ContextSource } from '../context-source.ts';
import { openDirectoryContext } from '../directory-context.ts';
import type { RemoteAccess } from '../remote-access.ts';
import type { GitLocation } from './git-location.ts';
import { findCommit } from './git-tree.ts';

export interface GitContextOptions {
  access: RemoteAccess;
  indexDirectory?: string | undefined;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
}

/** A commit of a git repository as a build context. No ignore file applies to it (SPEC I12). Errors as `findCommit`. */
export async function openGitContext(
  location: GitLocation,
  options: GitContextOptions,
): Promise<ContextSource> {
  const found = await findCommit(location, options.access, 'user');
  const tree = await found.open();
  try {
    const context = openDirectoryContext({
      root: tree.root,
      description: redactUrl(location.remote),
      ignore: false,
      indexDirectory: options.indexDirectory,
      readXattrs: options.readXattrs,
    });
    return {
      ...context,
      close() {
        context.close();
        tree.release();
      },
    };
  } catch (error) {
    tree.release();
    throw error;
  }
}
