import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { ContextSource } from './context-source.ts';
import { openDirectoryContext } from './directory-context.ts';
import {
  DOCKERFILE_LIMIT,
  type DockerfileFile,
  readDockerfile,
  readDockerfileInside,
} from './dockerfile-file.ts';
import { openNoContext } from './no-context.ts';
import { peekStream } from './peek-stream.ts';
import { openTarContext } from './tar-context.ts';

export interface OpenContextRequest {
  /** The argument of `build`: a directory, `-`, or a URL. */
  argument: string;
  /** `-f`: a path, or `-`; relative to `cwd`, for an archive to its root. */
  file?: string | undefined;
  /** Absolute. */
  cwd: string;
  /** Touched only where `-` is given. */
  stdin: AsyncIterable<Buffer>;
  /** For archives to be unpacked in. */
  temporaryDirectory: string;
  indexDirectory?: string | undefined;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
  signal?: AbortSignal | undefined;
}

export interface OpenedContext {
  context: ContextSource;
  dockerfile: DockerfileFile;
}

/** Enough to tell a tar header. */
const MAGIC_BYTES = 512;

/**
 * Opens what `build` is given as its context (SPEC 1.16) and reads the Dockerfile. The caller closes the context.
 *
 * @throws SlipwayError `usage` for contradicting uses of standard input, `unsupported` REMOTE_CONTEXT, and what the
 * kinds of contexts throw
 */
export async function openContext(request: OpenContextRequest): Promise<OpenedContext> {
  const { argument, file } = request;
  if (file !== undefined && isRemote(file)) throw remote(file);
  if (argument === '-') return await openStdin(request);
  const root = path.resolve(request.cwd, argument);
  if (isRemote(argument) || (/^github\.com\//.test(argument) && !fs.existsSync(root))) throw remote(argument);
  // Named before the Dockerfile in it: a context that does not exist is the better message.
  const open = (dockerfile: string | undefined): ContextSource =>
    openDirectoryContext({
      root,
      description: argument,
      dockerfile,
      indexDirectory: request.indexDirectory,
      readXattrs: request.readXattrs,
    });
  if (file === '-') {
    const context = open(undefined);
    return { context, dockerfile: { name: '-', path: undefined, content: await readAll(request.stdin) } };
  }
  if (!fs.existsSync(root)) open(undefined);
  const dockerfile = readDockerfile({ root, file, cwd: request.cwd });
  return { context: open(dockerfile.path), dockerfile };
}

async function openStdin(request: OpenContextRequest): Promise<OpenedContext> {
  const { file } = request;
  if (file === '-')
    throw new SlipwayError(
      'usage',
      "invalid argument: can't use stdin for both build context and dockerfile",
      {
        code: 'STDIN_USED_TWICE',
      },
    );
  const { start, stream } = await peekStream(request.stdin, MAGIC_BYTES);
  if (await isArchive(start)) {
    const { temporaryDirectory, readXattrs, signal } = request;
    const context = await openTarContext(stream, {
      description: 'standard input',
      temporaryDirectory,
      readXattrs,
      signal,
    });
    try {
      return { context, dockerfile: readDockerfileInside({ root: context.root!, tree: context.tree, file }) };
    } catch (error) {
      context.close();
      throw error;
    }
  }
  if (file !== undefined)
    throw new SlipwayError(
      'usage',
      'ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles',
      {
        code: 'STDIN_USED_TWICE',
        hint: `Leave out "-f ${file}", or pass a directory or an archive as the context.`,
      },
    );
  return {
    context: openNoContext(),
    dockerfile: { name: '-', path: undefined, content: await readAll(stream) },
  };
}

/** A tar header, whose checksum even old formats have, or the magic number of a compression. */
async function isArchive(start: Buffer): Promise<boolean> {
  const { detectCompression } = await import('../layer/compress.ts');
  if (detectCompression(start) !== 'none') return true;
  if (start.length < MAGIC_BYTES) return false;
  const stored = Number.parseInt(start.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8);
  let sum = 8 * 0x20;
  start.forEach((byte, index) => {
    if (index < 148 || index >= 156) sum += byte;
  });
  return sum === stored;
}

async function readAll(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    length += chunk.length;
    if (length > DOCKERFILE_LIMIT)
      throw new SlipwayError(
        'exhausted',
        `Dockerfile from standard input is larger than ${DOCKERFILE_LIMIT} bytes`,
        {
          code: 'FILE_TOO_LARGE',
        },
      );
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

function isRemote(argument: string): boolean {
  return /^(?:https?|git|ssh):\/\/|^git@/.test(argument);
}

function remote(argument: string): SlipwayError {
  const shown = argument.replace(/\/\/[^/@]*@/, '//');
  return new SlipwayError('unsupported', `building from a URL is not there yet: ${shown}`, {
    code: 'REMOTE_CONTEXT',
    hint: 'Fetch it with git or curl and pass the directory, or pipe the archive to "-".',
  });
}
