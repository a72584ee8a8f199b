import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { buildIndex, type Document } from '../image/build-manifest.ts';
import { MAX_DOCUMENT_SIZE } from '../image/json-guard.ts';
import { parseIndex } from '../image/parse-manifest.ts';
import type { Descriptor } from '../image/types.ts';
import type { ArchiveResult } from './docker-archive.ts';
import { type EncodeOptions, encodeImages } from './encode-images.ts';
import { copyBlob } from './layer-source.ts';
import {
  blobName,
  type LayoutContent,
  type LayoutImage,
  layoutContent,
  OCI_LAYOUT,
} from './layout-documents.ts';
import { OuterTar } from './outer-tar.ts';
import { explain, withOutput } from './output.ts';
import type { ExportImage, ExportIndex, Output } from './types.ts';

export interface LayoutOptions extends EncodeOptions {
  /** How the images belong together that are one for several platforms. */
  indexes?: readonly ExportIndex[] | undefined;
}

/** The manifest of each index, then of each image that is in none, in the order given. */
export interface OciResult {
  manifests: Descriptor[];
}

/**
 * Writes images as one tar that holds an OCI layout. Same images, same bytes. Runs in the worker.
 *
 * @throws SlipwayError `LAYER_CORRUPT`, and those of `openOutput`; nothing is left at the output's name then.
 */
export async function writeOciArchive(
  images: readonly ExportImage[],
  output: Output,
  options: LayoutOptions,
): Promise<ArchiveResult & OciResult> {
  const blobs = new Map<string, { path: string; descriptor: Descriptor }>();
  try {
    const documents = await encodeImages(images, options, (path, descriptor) => {
      if (blobs.has(descriptor.digest)) rmSync(path);
      else blobs.set(descriptor.digest, { path, descriptor });
    });
    const layout = layoutContent(documents, options.indexes ?? [], { ...options, dated: true });
    const small = new Map(allDocuments(documents, layout).map((document) => [document.digest, document]));
    return await withOutput(output, async (out) => {
      let size = 0;
      const tar = new OuterTar((bytes) => {
        size += bytes.length;
        out.write(bytes);
      });
      tar.directory('blobs');
      tar.directory('blobs/sha256');
      for (const digest of [...small.keys(), ...blobs.keys()].sort()) {
        const blob = blobs.get(digest);
        if (blob === undefined) tar.file(blobName(digest), small.get(digest)!.bytes);
        else {
          tar.begin(blobName(digest), blob.descriptor.size);
          copyBlob({ path: blob.path, ...blob.descriptor }, (chunk) => tar.content(chunk), options.aborted);
          tar.end();
        }
      }
      tar.file('index.json', buildIndex(layout.entries).bytes);
      tar.file('oci-layout', OCI_LAYOUT);
      tar.finish();
      return { size, manifests: layout.manifests };
    });
  } finally {
    for (const { path } of blobs.values()) rmSync(path, { force: true });
  }
}

/**
 * Writes images into an OCI layout directory, which is made when it is not there. Images that are in it already
 * stay, but for those with the same names. index.json is replaced last, in one step.
 *
 * @throws SlipwayError `LAYER_CORRUPT`, `OUTPUT_INVALID` for a directory that holds something else.
 */
export async function writeOciDirectory(
  images: readonly ExportImage[],
  directory: string,
  options: LayoutOptions,
): Promise<OciResult> {
  const before = openLayout(directory);
  const inside = join(directory, 'blobs', 'sha256');
  const unfinished = join(inside, `.new-${randomBytes(6).toString('hex')}`);
  try {
    const documents = await encodeImages(images, { ...options, scratch: unfinished }, (path, descriptor) => {
      renameSync(path, join(directory, blobName(descriptor.digest)));
    });
    const layout = layoutContent(documents, options.indexes ?? [], { ...options, dated: true });
    for (const document of allDocuments(documents, layout))
      writeWhole(join(directory, blobName(document.digest)), document.bytes);
    const { entries } = layout;
    const replaced = new Set(entries.map(nameOf));
    const kept = before.filter((entry) => {
      const name = nameOf(entry);
      return name === undefined ? entries.every((e) => e.digest !== entry.digest) : !replaced.has(name);
    });
    writeWhole(join(directory, 'oci-layout'), OCI_LAYOUT);
    writeWhole(join(directory, 'index.json'), buildIndex([...kept, ...entries]).bytes);
    return { manifests: layout.manifests };
  } catch (error) {
    throw explain(error);
  }
}

function allDocuments(images: readonly LayoutImage[], { indexes }: LayoutContent): Document[] {
  return [...images.flatMap(({ config, manifest }) => [config, manifest]), ...indexes];
}

function nameOf(entry: Descriptor): string | undefined {
  return (
    entry.annotations?.['io.containerd.image.name'] ??
    entry.annotations?.['org.opencontainers.image.ref.name']
  );
}

/** The entries of a layout that is there; none for a new or an empty directory. */
function openLayout(directory: string): Descriptor[] {
  try {
    mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true });
  } catch (error) {
    throw new SlipwayError(
      'invalid',
      `invalid output path ${JSON.stringify(directory)}: ${(error as Error).message}`,
      {
        code: 'OUTPUT_INVALID',
        cause: error,
      },
    );
  }
  const index = readSmallFile(join(directory, 'index.json'));
  return index === undefined ? [] : parseIndex(index).manifests;
}

/** A file of at most `MAX_DOCUMENT_SIZE`, or undefined when it is not there. Never waits for a FIFO. */
function readSmallFile(path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    // One byte more than allowed, so that the reader of the document sees that it is too large.
    const buffer = Buffer.alloc(Math.min(size, MAX_DOCUMENT_SIZE + 1));
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      if (count === 0) return buffer.subarray(0, length);
      length += count;
    }
  } finally {
    closeSync(fd);
  }
}

function writeWhole(path: string, bytes: Document['bytes']): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, bytes, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
