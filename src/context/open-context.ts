import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import type { ContextSource } from './context-source.ts';
import { type IgnoreFrom, openDirectoryContext } from './directory-context.ts';
import {
  DOCKERFILE_LIMIT,
  type DockerfileFile,
  readDockerfile,
  readDockerfileInside,
} from './dockerfile-file.ts';
import { isArchive, MAGIC_BYTES } from './is-archive.ts';
import { looksRemote } from './looks-remote.ts';
import { openNoContext } from './no-context.ts';
import { peekStream } from './peek-stream.ts';
import type { RemoteAccess } from './remote-access.ts';
import { openTarContext } from './tar-context.ts';

export interface OpenContextRequest {
  /** The argument of `build`: a directory, `-`, or a URL. */
  argument: string;
  /** `-f`: a path, a URL, or `-`; relative to `cwd`, for an archive and what is fetched to its root. */
  file?: string | undefined;
  /** Absolute. */
  cwd: string;
  /** Touched only where `-` is given. */
  stdin: AsyncIterable<Buffer>;
  /** For archives to be unpacked in. */
  temporaryDirectory: string;
  /** Asked for only when something has to be fetched. */
  access?: (() => Promise<RemoteAccess>) | undefined;
  /** See `RemoteContextOptions`. */
  keepGitDir?: boolean | undefined;
  /** See `DirectoryContextOptions`. */
  ignoreFrom?: IgnoreFrom | undefined;
  indexDirectory?: string | undefined;
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
  signal?: AbortSignal | undefined;
}

export interface OpenedContext {
  context: ContextSource;
  dockerfile: DockerfileFile;
}

/**
 * Opens what `build` is given as its context (SPEC 1.16) and reads the Dockerfile. The caller closes the context.
 *
 * @throws SlipwayError `usage` for contradicting uses of standard input, `unsupported` CONTEXT_SCHEME, and what the
 * kinds of contexts throw
 */
export async function openContext(request: OpenContextRequest): Promise<OpenedContext> {
  const { argument, file } = request;
  if (file !== undefined && isAddress(file)) return await openWithFetched(request, file);
  if (argument === '-') return await openStdin(request);
  if (isRemote(request)) {
    const remote = await openRemote(request);
    if (remote !== undefined) return remote;
  }
  const root = path.resolve(request.cwd, argument);
  // Named before the Dockerfile in it: a context that does not exist is the better message.
  const open = (dockerfile: string | undefined): ContextSource =>
    openDirectoryContext({
      root,
      description: argument,
      dockerfile,
      ignoreFrom: request.ignoreFrom,
      indexDirectory: request.indexDirectory,
      readXattrs: request.readXattrs,
    });
  if (file === '-') {
    const context = open(undefined);
    return { context, dockerfile: { name: '-', path: undefined, content: await readAll(request.stdin) } };
  }
  if (fs.statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true) open(undefined);
  const dockerfile = readDockerfile({ root, file, cwd: request.cwd });
  return { context: open(dockerfile.path), dockerfile };
}

/** The Dockerfile comes from the web, the context from wherever it is: `-f https://…`. */
async function openWithFetched(request: OpenContextRequest, url: string): Promise<OpenedContext> {
  const [{ readWebText }, { redactUrl }] = await Promise.all([
    import('./web/web-context.ts'),
    import('../errors/redact-url.ts'),
  ]);
  const content = await readWebText(url, await accessOf(request));
  if (request.argument !== '-') {
    const { context } = await openContext({ ...request, file: '-', stdin: once(content) });
    return { context, dockerfile: { name: redactUrl(url), path: undefined, content } };
  }
  const { start, stream } = await peekStream(request.stdin, MAGIC_BYTES);
  if (!(await isArchive(start))) throw twoDockerfiles(redactUrl(url));
  const context = await openArchive(request, stream);
  return { context, dockerfile: { name: redactUrl(url), path: undefined, content } };
}

/** Undefined where what looked like an address is a path. */
async function openRemote(request: OpenContextRequest): Promise<OpenedContext | undefined> {
  const { openRemoteContext } = await import('./remote-context.ts');
  const { argument, file, cwd, keepGitDir, indexDirectory, readXattrs } = request;
  const access = await accessOf(request);
  const opened = await openRemoteContext(argument, { access, cwd, keepGitDir, indexDirectory, readXattrs });
  if (opened === undefined) {
    const scheme = /^([a-zA-Z0-9]+):\/\//.exec(argument)?.[1];
    if (scheme === undefined) return undefined;
    throw new SlipwayError('unsupported', `a build context cannot be read by ${scheme}://`, {
      code: 'CONTEXT_SCHEME',
      hint: 'It may be a directory, a git repository (https, http, git, ssh), or an archive (https, http).',
    });
  }
  if ('text' in opened) {
    if (file !== undefined) throw twoDockerfiles(file);
    const { text, description } = opened;
    return {
      context: openNoContext(description),
      dockerfile: { name: description, path: undefined, content: text },
    };
  }
  const { context } = opened;
  try {
    if (file === '-')
      return { context, dockerfile: { name: '-', path: undefined, content: await readAll(request.stdin) } };
    return { context, dockerfile: readDockerfileInside({ root: context.root!, tree: context.tree, file }) };
  } catch (error) {
    context.close();
    throw error;
  }
}

function isRemote({ argument, cwd }: OpenContextRequest): boolean {
  if (!looksRemote(argument)) return false;
  return !argument.startsWith('github.com/') || !fs.existsSync(path.resolve(cwd, argument));
}

function isAddress(file: string): boolean {
  return /^https?:\/\//i.test(file);
}

async function accessOf(request: OpenContextRequest): Promise<RemoteAccess> {
  if (request.access !== undefined) return await request.access();
  throw new SlipwayError('unsupported', 'nothing can be fetched here', { code: 'NO_REMOTE_ACCESS' });
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
    const context = await openArchive(request, stream);
    try {
      return { context, dockerfile: readDockerfileInside({ root: context.root!, tree: context.tree, file }) };
    } catch (error) {
      context.close();
      throw error;
    }
  }
  if (file !== undefined) throw twoDockerfiles(file);
  return {
    context: openNoContext('standard input'),
    dockerfile: { name: '-', path: undefined, content: await readAll(stream) },
  };
}

async function openArchive(
  request: OpenContextRequest,
  stream: AsyncIterable<Buffer>,
): Promise<ContextSource> {
  const { temporaryDirectory, readXattrs, signal } = request;
  return await openTarContext(stream, {
    description: 'standard input',
    temporaryDirectory,
    readXattrs,
    signal,
  });
}

function twoDockerfiles(file: string): SlipwayError {
  return new SlipwayError(
    'usage',
    'ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles',
    {
      code: 'STDIN_USED_TWICE',
      hint: `Leave out "-f ${file}", or pass a directory or an archive as the context.`,
    },
  );
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

async function* once(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}
