import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CACHE_CONFIG_TYPE } from '../../cache/travel/cache-document.ts';
import { isErrno, SlipwayError } from '../../errors/index.ts';
import { type ArchiveFiles, needFile, readDocument } from '../../export/archive-files.ts';
import { openDirectoryFiles } from '../../export/directory-files.ts';
import { blobName, OCI_LAYOUT } from '../../export/layout-documents.ts';
import { buildIndex } from '../../image/build-manifest.ts';
import { isIndexType } from '../../image/media-types.ts';
import { parseIndex, parseManifest } from '../../image/parse-manifest.ts';
import type { Descriptor } from '../../image/types.ts';
import type { PushLayer } from '../../registry/push/push-image.ts';
import type { CacheContent } from './cache-content.ts';
import { REF_NAME } from './layout-cache.ts';
import { withFileLock } from './layout-lock.ts';

export interface WriteLayoutRequest {
  directory: string;
  tag: string;
  content: CacheContent;
  /** Says what has been written. */
  note: (what: string) => void;
  signal: AbortSignal;
}

/** Names of files that are being written. */
const UNFINISHED = '.new-';

/**
 * Writes a cache into an OCI layout under a tag. What that tag meant before goes, and with it every blob that no
 * manifest lists any more: the directory is never larger than the caches that it names. Whoever reads it meanwhile
 * finds the old index or the new one.
 *
 * @throws SlipwayError `invalid` CACHE_DEST; those of making the blobs
 */
export async function writeCacheLayout(request: WriteLayoutRequest): Promise<Descriptor> {
  const { directory, content, note, signal } = request;
  const blobs = join(directory, 'blobs', 'sha256');
  try {
    mkdirSync(blobs, { recursive: true });
    return await withFileLock(join(directory, 'index.json.lock'), signal, async () => {
      const descriptors: Descriptor[] = [];
      for (const blob of content.blobs) {
        signal.throwIfAborted();
        const descriptor = await writeBlob(directory, blob);
        note(`writing layer ${descriptor.digest}`);
        descriptors.push(descriptor);
      }
      const { config } = content;
      const manifest = content.manifest(descriptors);
      writeFile(join(directory, blobName(config.digest)), config.bytes);
      note(`writing config ${config.digest}`);
      writeFile(join(directory, blobName(manifest.digest)), manifest.bytes);
      note(`writing cache image manifest ${manifest.digest}`);
      const { mediaType, digest, bytes } = manifest;
      const entry = { mediaType, digest, size: bytes.length, annotations: { [REF_NAME]: request.tag } };
      await replaceEntry(directory, entry);
      return { mediaType, digest, size: bytes.length };
    });
  } catch (error) {
    if (error instanceof SlipwayError || !(error instanceof Error) || !('code' in error)) throw error;
    const full = isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT');
    throw new SlipwayError(full ? 'exhausted' : 'invalid', `the cache cannot be written: ${error.message}`, {
      code: full ? 'DISK_FULL' : 'CACHE_DEST',
      cause: error,
    });
  }
}

async function writeBlob(directory: string, blob: PushLayer): Promise<Descriptor> {
  if (blob.known !== undefined && isThere(directory, blob.known)) return blob.known;
  const { descriptor, path, release } = await blob.make();
  try {
    if (isThere(directory, descriptor)) return descriptor;
    const place = join(directory, blobName(descriptor.digest));
    const fresh = unfinished(directory);
    copyFileSync(path, fresh);
    chmodSync(fresh, 0o644);
    renameSync(fresh, place);
    return descriptor;
  } finally {
    release?.();
  }
}

function isThere(directory: string, { digest, size }: Descriptor): boolean {
  return statSync(join(directory, blobName(digest)), { throwIfNoEntry: false })?.size === size;
}

function writeFile(place: string, bytes: Buffer): void {
  const fresh = `${place}${UNFINISHED}${randomBytes(6).toString('hex')}`;
  writeFileSync(fresh, bytes);
  renameSync(fresh, place);
}

function unfinished(directory: string): string {
  return join(directory, 'blobs', 'sha256', `${UNFINISHED}${randomBytes(6).toString('hex')}`);
}

async function replaceEntry(directory: string, entry: Descriptor): Promise<void> {
  const files = openDirectoryFiles(directory);
  const index = files.find('index.json');
  const before = index === undefined ? [] : parseIndex(await readDocument(index)).manifests;
  const tag = entry.annotations![REF_NAME];
  const isOld = (one: Descriptor): boolean => one.annotations?.[REF_NAME] === tag;
  const kept = before.filter((one) => !isOld(one));
  writeFile(join(directory, 'oci-layout'), OCI_LAYOUT);
  writeFile(join(directory, 'index.json'), buildIndex([...kept, entry]).bytes);
  await removeOrphans(directory, files, { old: before.filter(isOld), now: [...kept, entry] });
}

/**
 * Removes blobs that no manifest lists: in a directory of caches all of them, in one that others use too those of the
 * manifest that was replaced.
 */
async function removeOrphans(
  directory: string,
  files: ArchiveFiles,
  { old, now }: { old: readonly Descriptor[]; now: readonly Descriptor[] },
): Promise<void> {
  const used = new Set<string>();
  const before = new Set<string>();
  let ours: boolean;
  try {
    ours = (await Promise.all(now.map((entry) => listed(files, entry, used)))).every(Boolean);
    for (const entry of old) await listed(files, entry, before).catch(() => {});
  } catch {
    // Somebody else's documents, or damaged ones: what they need nobody knows.
    return;
  }
  for (const name of readdirSync(join(directory, 'blobs', 'sha256'))) {
    const digest = `sha256:${name}`;
    if (!used.has(digest) && (ours || before.has(digest) || name.startsWith(UNFINISHED)))
      rmSync(join(directory, 'blobs', 'sha256', name), { force: true });
  }
}

/** Adds what a document lists, itself included. True when it is a cache. */
async function listed(files: ArchiveFiles, entry: Descriptor, into: Set<string>): Promise<boolean> {
  if (into.has(entry.digest)) return true;
  into.add(entry.digest);
  const bytes = await readDocument(needFile(files, blobName(entry.digest)));
  if (isIndexType(entry.mediaType)) {
    for (const inner of parseIndex(bytes).manifests) await listed(files, inner, into);
    return false;
  }
  const { config, layers } = parseManifest(bytes);
  for (const { digest } of [config, ...layers]) into.add(digest);
  return config.mediaType === CACHE_CONFIG_TYPE;
}
