import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../errors/index.ts';
import type { SecretValue } from '../execute/executor.ts';
import type { RunOperation } from '../plan/types.ts';

/** Where the content of a secret comes from: a file, an environment variable of the builder, or the caller. */
export type SecretSource = { file: string } | { env: string } | { value: string | Uint8Array };

export interface SecretOptions {
  env: NodeJS.ProcessEnv;
  /** What relative paths are relative to. */
  cwd: string;
  signal: AbortSignal;
}

/** Docker's limit for one secret (SPEC 1.9, M8). */
const MAX_BYTES = 500 * 1024;

/** How often a pipe is asked for more. */
const POLL_MS = 10;

/** The secrets of a build. Nothing is read before a step that has to run mounts it, and then only once. */
export class Secrets {
  readonly #sources: ReadonlyMap<string, SecretSource>;
  readonly #options: SecretOptions;
  readonly #contents = new Map<string, Promise<Buffer>>();

  private constructor(sources: ReadonlyMap<string, SecretSource>, options: SecretOptions) {
    this.#sources = sources;
    this.#options = options;
  }

  /**
   * Checks that all files are there and not too large. Throws `not-found` (`SECRET_FILE_MISSING`) and `invalid`
   * (`SECRET_TOO_BIG`, `SECRET_ID_MISSING`, `SECRET_NOT_A_FILE`).
   */
  static async open(
    sources: Readonly<Record<string, SecretSource>>,
    options: SecretOptions,
  ): Promise<Secrets> {
    for (const [id, source] of Object.entries(sources)) {
      if (id === '') throw invalid('SECRET_ID_MISSING', 'secret missing ID');
      if ('file' in source) await checkFile(id, source.file, options);
    }
    return new Secrets(new Map(Object.entries(sources)), options);
  }

  /** What a RUN mounts of them; ids that were not given are left out. */
  async of(operation: RunOperation): Promise<SecretValue[]> {
    const ids = operation.mounts.flatMap((mount) => (mount.type === 'secret' ? [mount.id] : []));
    const values: SecretValue[] = [];
    for (const id of new Set(ids)) {
      const content = await this.content(id);
      if (content !== undefined) values.push({ id, base64: content.toString('base64') });
    }
    return values;
  }

  /** The content of one of them; undefined when it was not given. */
  async content(id: string): Promise<Buffer | undefined> {
    const source = this.#sources.get(id);
    if (source === undefined) return undefined;
    let content = this.#contents.get(id);
    if (content === undefined) {
      content = this.#read(id, source);
      this.#contents.set(id, content);
    }
    return content;
  }

  async #read(id: string, source: SecretSource): Promise<Buffer> {
    const { env, cwd, signal } = this.#options;
    const content =
      'file' in source
        ? await readLimited(resolve(cwd, source.file), signal)
        : // A variable that is not set is an empty secret, as Docker has it.
          Buffer.from('env' in source ? (env[source.env] ?? '') : source.value);
    if (content.length > MAX_BYTES) throw tooBig(id);
    return content;
  }
}

async function checkFile(id: string, file: string, { cwd }: SecretOptions): Promise<void> {
  const path = resolve(cwd, file);
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'no such file or directory' : cause.message;
    throw new SlipwayError('not-found', `failed to stat ${file}: ${why}`, {
      code: 'SECRET_FILE_MISSING',
      hint: `The content of secret ${id} comes from that file.`,
      cause,
    });
  });
  if (found.size > MAX_BYTES) throw tooBig(id);
  if (found.isFile() || found.isFIFO()) return;
  throw invalid('SECRET_NOT_A_FILE', `secret ${id}: ${file} is neither a file nor a pipe`);
}

/** Up to one byte more than is allowed. A pipe (`src=<(pass show key)`) is waited for, but never blocked on. */
async function readLimited(path: string, signal: AbortSignal): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = await file.read(buffer, length, buffer.length - length).catch(async (error) => {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await sleep(POLL_MS, undefined, { signal });
        return undefined;
      });
      if (read?.bytesRead === 0) break;
      length += read?.bytesRead ?? 0;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}

function tooBig(id: string): SlipwayError {
  return invalid('SECRET_TOO_BIG', `secret ${id} too big. max size 500KiB`);
}

function invalid(code: string, message: string): SlipwayError {
  return new SlipwayError('invalid', message, { code });
}
