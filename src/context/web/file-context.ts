import path from 'node:path';
import { redactUrl } from '../../errors/redact-url.ts';
import type { ContextSource } from '../context-source.ts';
import { openDirectoryContext } from '../directory-context.ts';
import type { RemoteAccess } from '../remote-access.ts';
import { openWebFile } from './web-file.ts';

/**
 * The content of a URL that is no archive as a named context: one file, called `context` as BuildKit calls it. Errors
 * as `openWebFile`.
 */
export async function openFileContext(url: string, access: RemoteAccess): Promise<ContextSource> {
  const file = await openWebFile({ url }, access);
  const context = openDirectoryContext({
    root: path.dirname(file.path),
    description: redactUrl(url),
    ignore: false,
  });
  return {
    ...context,
    close() {
      context.close();
      file.release();
    },
  };
}
