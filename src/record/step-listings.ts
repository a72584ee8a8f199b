import { constants, zstdCompress } from 'node:zlib';
import type { ExecutableStep, SelectedFile, StepSource } from '../execute/executor.ts';
import { encodeListing } from '../layer/listing.ts';
import type { LayerEntry } from '../layer/types.ts';

/** Names in one listing. A selection of more is not kept: its record would be megabytes. */
const MAX_NAMES = 100_000;

/** Hex digits that are kept of a file's digest: enough to see that it is another, and the rest packs to nothing. */
const DIGEST_DIGITS = 16;

/** Of most listings as small as the default makes them, in a third of the time. */
const QUICK = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/**
 * What a step that runs selects from contexts, stages and images, as compressed listings by the name of the key part
 * that has their digest. Owners and modes that the instruction sets itself are left out, as in the key.
 */
export async function stepListings(step: ExecutableStep): Promise<Map<string, Buffer>> {
  const listings = new Map<string, Buffer>();
  const add = async (selection: string, source: StepSource, seen: Seen): Promise<void> => {
    const entries = entriesOf(source, seen);
    if (entries === undefined) return;
    // zstd of node:zlib; on the thread pool, beside the step itself.
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    zstdCompress(encodeListing(entries), QUICK, (error, bytes) => (error ? reject(error) : resolve(bytes)));
    listings.set(selection, await promise);
  };
  if (step.kind === 'copy') {
    const { chown, chmod } = step.operation;
    await add('content', step.source, { owner: chown === undefined, mode: chmod === undefined });
  } else if (step.kind === 'run') {
    for (const { mount, source } of step.sources) {
      if (step.operation.mounts[mount]?.type !== 'bind') continue;
      await add(`mount ${mount} content`, source, { owner: true, mode: true });
    }
  }
  return listings;
}

/** What of a file's metadata the step can see. */
interface Seen {
  owner: boolean;
  mode: boolean;
}

function entriesOf(source: StepSource, seen: Seen): LayerEntry[] | undefined {
  if (source.kind === 'none') return undefined;
  const count = source.sources.reduce((sum, { files }) => sum + files.length, 0);
  if (count > MAX_NAMES) return undefined;
  return source.sources.flatMap(({ path, files }) =>
    files.flatMap((file) => (file.type === 'socket' ? [] : [entryOf(join(path, file.path), file, seen)])),
  );
}

function entryOf(path: string, file: SelectedFile, seen: Seen): LayerEntry {
  const { type, size, link, hardLink, sha256, major, minor } = file;
  return {
    path,
    type: type as LayerEntry['type'],
    mode: seen.mode ? file.mode : 0,
    uid: seen.owner ? (file.uid ?? 0) : 0,
    gid: seen.owner ? (file.gid ?? 0) : 0,
    size,
    mtimeNs: 0n,
    ...(link === undefined ? {} : { link }),
    ...(hardLink === undefined ? {} : { hardLink }),
    ...(sha256 === undefined ? {} : { sha256: sha256.slice(0, DIGEST_DIGITS).padEnd(64, '0') }),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
  };
}

function join(directory: string, name: string): string {
  if (directory === '') return name;
  return name === '' ? directory : `${directory}/${name}`;
}
