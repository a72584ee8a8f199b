import { hash } from 'node:crypto';
import path from 'node:path';
import type { ContextSource } from '../../context/context-source.ts';
import { about } from '../../errors/subject.ts';
import type { SelectedSource, StepSource } from '../../execute/executor.ts';
import type { CopyOperation, RemoteSource } from '../../plan/types.ts';
import { bytesOf } from '../../sys/bytes.ts';
import type { FetchedSources } from './fetched-sources.ts';

/** Files that a step reads, and the digest of all that its key must say about them. */
export interface SelectedFiles {
  digest: string;
  source: () => Promise<StepSource>;
}

export interface AddWork {
  operation: CopyOperation;
  fetched: () => Promise<FetchedSources>;
  /** Selects from the build context, or another: `/` is everything. */
  select: (sources: readonly string[], from?: ContextSource) => Promise<SelectedFiles>;
  /** Remembered digests of what was selected from commits. */
  remembered: {
    get(identity: string): string | undefined;
    put(identity: string, digest: string): void;
  };
}

/**
 * The files of an ADD that fetches some of its sources (SPEC 1.12), in the order of the line. The digest names
 * contents, and of downloads their names.
 */
export async function selectAdd(work: AddWork): Promise<SelectedFiles> {
  const { operation, select } = work;
  const parts: SelectedFiles[] = [];
  let local: string[] = [];
  const flush = async (end: number): Promise<void> => {
    if (local.length > 0) parts.push(await withSubject(end - local.length, () => select(local)));
    local = [];
  };
  for (const [index, source] of operation.sources.entries()) {
    const remote = operation.remotes?.find((one) => one.index === index);
    if (remote === undefined) {
      local.push(source);
      continue;
    }
    await flush(index);
    parts.push(
      await withSubject(index, () =>
        remote.kind === 'http' ? selectFile(remote, work) : selectCommit(remote, work),
      ),
    );
  }
  await flush(operation.sources.length);
  return {
    digest: hash('sha256', JSON.stringify(parts.map((part) => part.digest)), 'hex'),
    source: async () => joined(await Promise.all(parts.map((part) => part.source()))),
  };
}

/** Errors of a part of the sources count from its first; what is fetched is wrong itself unless a flag is. */
async function withSubject(first: number, select: () => Promise<SelectedFiles>): Promise<SelectedFiles> {
  try {
    return await select();
  } catch (error) {
    throw about(error, (known) => {
      if (known?.part === 'flag') return known;
      return { part: 'word', index: first + (known?.part === 'word' ? known.index : 0) };
    });
  }
}

async function selectFile(
  { url, checksum }: Extract<RemoteSource, { kind: 'http' }>,
  { fetched, operation }: AddWork,
): Promise<SelectedFiles> {
  const file = await (await fetched()).file(url, checksum);
  const name = bytesOf(file.name);
  const source: SelectedSource = {
    root: path.dirname(file.path),
    path: bytesOf(path.basename(file.path)),
    name,
    directory: false,
    unpack: operation.unpack === true,
    files: [{ path: '', type: 'file', mode: 0o600, size: file.size, sha256: file.sha256 }],
  };
  return {
    // Not the time, as for all files that are copied (and in BuildKit): a new date alone is no new content.
    digest: JSON.stringify(['file', file.sha256, name]),
    source: async () => ({ kind: 'directory', path: '', sources: [source] }),
  };
}

async function selectCommit(
  { location }: Extract<RemoteSource, { kind: 'git' }>,
  { fetched, select, remembered, operation }: AddWork,
): Promise<SelectedFiles> {
  const commit = await (await fetched()).commit(location);
  const all = async (): Promise<SelectedFiles> => select(['/'], await commit.open());
  const { exclude, chown, chmod } = operation;
  const identity =
    commit.identity === undefined
      ? undefined
      : JSON.stringify([commit.identity, exclude, chown !== undefined, chmod !== undefined]);
  const known = identity === undefined ? undefined : remembered.get(identity);
  if (known !== undefined) return { digest: known, source: async () => (await all()).source() };
  const selected = await all();
  if (identity !== undefined) remembered.put(identity, selected.digest);
  return selected;
}

/** Each source with the directory that it is in. */
function joined(parts: readonly StepSource[]): StepSource {
  const sources = parts.flatMap((part) =>
    part.kind === 'directory'
      ? part.sources.map((source) => ({ ...source, root: source.root ?? part.path }))
      : [],
  );
  return { kind: 'directory', path: '', sources };
}
