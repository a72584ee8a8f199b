import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { ContextSource } from '../../context/context-source.ts';
import { openContext } from '../../context/open-context.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import type { BuildOptions } from '../options.ts';
import { readXattrs } from './read-xattrs.ts';

/** What a build reads: its Dockerfile and its context. */
export interface BuildInput {
  context: ContextSource;
  /** The Dockerfile as people call it, and its text. */
  file: string;
  text: string;
}

export interface BuildInputRequest {
  options: BuildOptions;
  env: NodeJS.ProcessEnv;
  /** Where fingerprint indexes are kept. */
  indexDirectory: string;
  access: () => Promise<RemoteAccess>;
  signal: AbortSignal;
}

/** Opens context and Dockerfile of a build; the caller closes the context. Errors as `openContext`. */
export async function openBuildInput(request: BuildInputRequest): Promise<BuildInput> {
  const { options, env, indexDirectory, access, signal } = request;
  const { dockerfile: text } = options;
  const { context, dockerfile } = await openContext({
    argument: options.context,
    file: text === undefined ? options.file : '-',
    cwd: resolve(options.cwd ?? '.'),
    stdin: text === undefined ? (options.stdin ?? process.stdin) : once(text),
    temporaryDirectory: env.TMPDIR ?? tmpdir(),
    access,
    ignoreFrom: options.ignoreFrom,
    keepGitDir: isTrue(options.buildArgs?.BUILDKIT_CONTEXT_KEEP_GIT_DIR),
    indexDirectory,
    readXattrs,
    signal,
  });
  return {
    context,
    file: text === undefined ? dockerfile.name : 'Dockerfile',
    text: dockerfile.content.toString('utf8'),
  };
}

/** Go's `strconv.ParseBool`; anything that it does not read counts as not given. */
function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(?:1|t|T|true|TRUE|True)$/.test(text);
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
