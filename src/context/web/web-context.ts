import fs from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import type { ContextSource } from '../context-source.ts';
import { openDirectoryContext } from '../directory-context.ts';
import { DOCKERFILE_LIMIT } from '../dockerfile-file.ts';
import { isArchive, MAGIC_BYTES } from '../is-archive.ts';
import type { RemoteAccess } from '../remote-access.ts';
import { unpackArchive } from '../unpack-archive.ts';
import { openWebFile, type WebFile } from './web-file.ts';

export interface WebContextOptions {
  access: RemoteAccess;
  indexDirectory?: string | undefined;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
}

/**
 * What a URL holds, told by its content (SPEC 1.16): the files of an archive as a build context, to which no ignore
 * file applies (I12), or a text, which is a Dockerfile.
 *
 * @throws SlipwayError those of `openWebFile` and `unpackArchive`; `exhausted` FILE_TOO_LARGE for a text
 */
export async function openWebContext(
  url: string,
  options: WebContextOptions,
): Promise<{ context: ContextSource } | { text: Buffer }> {
  const { access } = options;
  const file = await openWebFile({ url }, access);
  try {
    if (!(await isArchive(startOf(file)))) return { text: readText(file, url) };
    return { context: await openUnpacked(file, url, options) };
  } finally {
    file.release();
  }
}

/** The text at a URL, for `-f URL`. Errors as `openWebContext`. */
export async function readWebText(url: string, access: RemoteAccess): Promise<Buffer> {
  const file = await openWebFile({ url }, access);
  try {
    return readText(file, url);
  } finally {
    file.release();
  }
}

async function openUnpacked(file: WebFile, url: string, options: WebContextOptions): Promise<ContextSource> {
  const { access, indexDirectory, readXattrs } = options;
  const { signal } = access;
  const entry = await access.kept.obtain(
    'tree',
    file.sha256,
    async (directory) => {
      const { decompress } = await import('../../layer/compress.ts');
      await unpackArchive(decompress(fs.createReadStream(file.path, { highWaterMark: 1 << 20 })), directory, {
        signal,
      });
    },
    signal,
  );
  try {
    const description = redactUrl(url);
    const root = entry.directory;
    const context = openDirectoryContext({ root, description, ignore: false, indexDirectory, readXattrs });
    return {
      ...context,
      close() {
        context.close();
        entry.release();
      },
    };
  } catch (error) {
    entry.release();
    throw error;
  }
}

function startOf(file: WebFile): Buffer {
  const descriptor = fs.openSync(file.path, 'r');
  try {
    const start = Buffer.alloc(MAGIC_BYTES);
    return start.subarray(0, fs.readSync(descriptor, start, 0, MAGIC_BYTES, 0));
  } finally {
    fs.closeSync(descriptor);
  }
}

function readText(file: WebFile, url: string): Buffer {
  if (file.size <= DOCKERFILE_LIMIT) return fs.readFileSync(file.path);
  throw new SlipwayError(
    'exhausted',
    `Dockerfile from ${redactUrl(url)} is larger than ${DOCKERFILE_LIMIT} bytes`,
    { code: 'FILE_TOO_LARGE', hint: 'It is no archive either: is it the right address?' },
  );
}
