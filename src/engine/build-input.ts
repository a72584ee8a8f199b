import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { ContextSource } from '../context/context-source.ts';
import { openContext } from '../context/open-context.ts';
import { xattrTravels } from '../layer/xattr-rules.ts';
import type { Store } from '../store/store.ts';
import { loadSys } from '../sys/linux.ts';
import type { BuildOptions } from './options.ts';

/** What a build reads: its Dockerfile and its context. */
export interface BuildInput {
  context: ContextSource;
  /** The Dockerfile as people call it, and its text. */
  file: string;
  text: string;
}

/** Opens context and Dockerfile of a build; the caller closes the context. Errors as `openContext`. */
export async function openBuildInput(
  options: BuildOptions,
  store: Store,
  signal: AbortSignal,
): Promise<BuildInput> {
  const { dockerfile: text } = options;
  const { context, dockerfile } = await openContext({
    argument: options.context,
    file: text === undefined ? options.file : '-',
    cwd: resolve(options.cwd ?? '.'),
    stdin: text === undefined ? (options.stdin ?? process.stdin) : once(text),
    temporaryDirectory: options.env?.TMPDIR ?? tmpdir(),
    indexDirectory: resolve(store.root, 'contexts'),
    readXattrs,
    signal,
  });
  return {
    context,
    file: text === undefined ? dockerfile.name : 'Dockerfile',
    text: dockerfile.content.toString('utf8'),
  };
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

/** Only called for files that the fingerprint index does not know, so that a cached build loads no system calls. */
function readXattrs(path: string): Map<string, Buffer> | undefined {
  const sys = loadSys();
  const bytes = Buffer.from(path, 'latin1');
  const values = new Map<string, Buffer>();
  for (const name of sys.llistxattr(bytes)) {
    const value = xattrTravels(name) ? sys.lgetxattr(bytes, name) : undefined;
    if (value) values.set(name, value);
  }
  return values.size === 0 ? undefined : values;
}
