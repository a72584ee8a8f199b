import { closeSync, openSync, readFileSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import type { Digest } from '../image/types.ts';
import { decodeListing } from '../layer/listing.ts';
import { hashLayer } from '../layer/pack.ts';
import type { LayerEntry } from '../layer/types.ts';
import { type LayerId, type LeaseId, layerDirectory, listingPath, temporaryPath } from '../store/layout.ts';
import { loadSys } from '../sys/linux.ts';
import type { ArchiveImage, ArchiveIndex, WantedImages } from './archive-image.ts';
import { archiveImages } from './archive-images.ts';
import { type Input, openArchive } from './input.ts';
import { type EntriesOf, lowerDirectories } from './lower-directories.ts';
import type { Aborted } from './types.ts';
import { type LayerPlace, removeUnpacked, type UnpackedLayer, unpackBlob } from './unpack-blob.ts';

export interface LoadRequest extends WantedImages {
  input: Input;
  /** Root of the store. */
  root: string;
  lease: LeaseId;
  /** Overlayfs's marks are `user.overlay.*`. */
  userxattr?: boolean;
}

/**
 * Asked for each layer of the archive before it is read, once per `diffId`: it is in the store already (and held
 * by the lease), or here is a new id for it.
 */
export type ChooseLayer = (diffId: Digest) => Promise<{ present: LayerId[] } | { id: LayerId }>;

export interface LoadOptions {
  aborted?: Aborted;
  /** Told of the bytes read of each layer's file. */
  progress?: (diffId: Digest, read: number, total: number) => void;
}

/** Images for several platforms that are one. Plain data. */
export interface LoadedIndex extends Omit<ArchiveIndex, 'members'> {
  /** Which of the images, and what for. */
  members: (Omit<ArchiveIndex['members'][number], 'image'> & { image: number })[];
}

/** An image to be registered. Plain data. */
export interface LoadedImage {
  id: Digest;
  /** The configuration document, byte for byte as UTF-8. */
  config: string;
  /** Normalised. */
  names: string[];
  /** Of the same archive. */
  parent?: Digest;
  /** It is there as the parent of others. */
  intermediate?: boolean;
  manifest?: string;
}

export interface LoadedArchive {
  images: LoadedImage[];
  indexes: LoadedIndex[];
  /** Layers that were unpacked, in their order; those that were present are not among them. */
  layers: UnpackedLayer[];
}

/**
 * Reads an image archive of any kind: what `docker save` writes (manifest.json, or folders of specification v1 alone),
 * an OCI layout as tar or directory, compressed or not. Layers are unpacked into the places that `chooseLayer` names and synced to disk; everything is
 * verified. The front then registers the result (`registerLoaded`). On any error nothing of it stays on disk; the
 * ids are the caller's to give up. Runs in the worker.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `DIGEST_MISMATCH`, `PLATFORM_NOT_FOUND` and those of
 *   `openArchive` and `unpackLayer`.
 */
export async function loadArchive(
  request: LoadRequest,
  chooseLayer: ChooseLayer,
  options: LoadOptions = {},
): Promise<LoadedArchive> {
  const files = await openArchive(request.input, {
    scratch: temporaryPath(request.root, request.lease, 'archive'),
    ...(options.aborted === undefined ? {} : { aborted: options.aborted }),
  });
  const loader = new Loader(request, chooseLayer, options);
  try {
    const { images, indexes } = await archiveImages(files, request, options.aborted);
    for (const image of images) await loader.layersOf(image);
    loader.sync();
    return {
      images: images.map(loadedImage),
      indexes: indexes.map(({ members, ...index }) => ({
        ...index,
        members: members.map(({ image, ...member }) => ({ ...member, image: images.indexOf(image) })),
      })),
      layers: loader.layers,
    };
  } catch (error) {
    loader.undo();
    throw error;
  } finally {
    files.close();
  }
}

function loadedImage({ id, config, names, parent, intermediate, manifest }: ArchiveImage): LoadedImage {
  return {
    id,
    config: config.toString('utf8'),
    names,
    ...(parent === undefined ? {} : { parent }),
    ...(intermediate === undefined ? {} : { intermediate }),
    ...(manifest === undefined ? {} : { manifest: manifest.toString('utf8') }),
  };
}

/** The layers of one archive on their way into the store. */
class Loader {
  readonly layers: UnpackedLayer[] = [];
  readonly #entries = new Map<Digest, EntriesOf>();
  readonly #request: LoadRequest;
  readonly #chooseLayer: ChooseLayer;
  readonly #options: LoadOptions;

  constructor(request: LoadRequest, chooseLayer: ChooseLayer, options: LoadOptions) {
    this.#request = request;
    this.#chooseLayer = chooseLayer;
    this.#options = options;
  }

  async layersOf(image: ArchiveImage): Promise<void> {
    const below: EntriesOf[] = [];
    for (const layer of image.layers) {
      let entries = this.#entries.get(layer.diffId);
      if (entries === undefined) {
        entries = await this.#layer(layer, below);
        this.#entries.set(layer.diffId, entries);
      }
      below.push(entries);
    }
  }

  async #layer(layer: ArchiveImage['layers'][number], below: readonly EntriesOf[]): Promise<EntriesOf> {
    const { root, userxattr } = this.#request;
    const { aborted } = this.#options;
    const { diffId, blob } = layer;
    const choice = await this.#chooseLayer(diffId);
    if ('present' in choice) return () => entriesOf(root, diffId, choice.present, userxattr);
    const { layer: unpacked, entries } = await unpackBlob(
      this.#watched(layer),
      this.#place(choice.id),
      { diffId, ...(blob === undefined ? {} : { blob }) },
      {
        lowerDirectory: lowerDirectories(below),
        ...(userxattr === undefined ? {} : { userxattr }),
        ...(aborted === undefined ? {} : { aborted }),
      },
    );
    this.layers.push(unpacked);
    return () => entries;
  }

  async *#watched({ diffId, file }: ArchiveImage['layers'][number]): AsyncGenerator<Buffer> {
    let read = 0;
    for await (const chunk of file.read(this.#options.aborted)) {
      yield chunk;
      read += chunk.length;
      this.#options.progress?.(diffId, read, file.size);
    }
  }

  #place(id: LayerId): LayerPlace {
    return { root: this.#request.root, lease: this.#request.lease, id };
  }

  sync(): void {
    if (this.layers.length > 0) syncStore(this.#request.root);
  }

  undo(): void {
    for (const { id } of this.layers) removeUnpacked(this.#place(id));
  }
}

/** Everything written so far to the store's file system is on disk when this returns. */
export function syncStore(root: string): void {
  const fd = openSync(root, 'r');
  try {
    loadSys().syncfs(fd);
  } catch (error) {
    if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) {
      throw new SlipwayError('exhausted', 'no space left on the disk', { code: 'DISK_FULL', cause: error });
    }
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** What a layer of the store holds: from the kept listing, or, when that is gone, from the directory. */
export function entriesOf(
  root: string,
  diffId: Digest,
  stack: readonly LayerId[],
  userxattr: boolean | undefined,
): readonly LayerEntry[] {
  try {
    return decodeListing(readFileSync(listingPath(root, diffId)));
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !(error instanceof SlipwayError)) throw error;
    const [top, ...below] = stack.toReversed().map((id) => layerDirectory(root, id));
    const options = { below: below.toReversed(), ...(userxattr === undefined ? {} : { userxattr }) };
    return hashLayer(top!, options).entries;
  }
}
