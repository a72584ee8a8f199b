import { createHash } from 'node:crypto';
import { SlipwayError } from '../errors/index.ts';
import { digestOf } from '../image/digest.ts';
import { asRecord, asString, MAX_DOCUMENT_SIZE, parseJsonObject } from '../image/json-guard.ts';
import { normalizeReference } from '../image/reference.ts';
import type { Digest } from '../image/types.ts';
import { configOfV1 } from '../image/v1-config.ts';
import { decompress } from '../layer/compress.ts';
import { type ArchiveFile, type ArchiveFiles, badArchive, needFile, readDocument } from './archive-files.ts';
import type { ArchiveImage } from './archive-image.ts';
import type { Aborted } from './types.ts';

/** Layers of one image; overlay file systems of that time had this limit. */
const MAX_DEPTH = 127;
/** Bytes of all configurations: each holds the history of all images below it. */
const MAX_TOTAL = 8 * MAX_DOCUMENT_SIZE;

interface V1Image {
  id: string;
  parent: string | undefined;
  json: Buffer;
  layer: ArchiveFile;
}

type Made = ArchiveImage & ReturnType<typeof configOfV1>;

/**
 * The images of an archive of image specification v1, as `docker save` wrote it before 1.10: a folder for each, with
 * `json`, `layer.tar` and `VERSION`, and `repositories` with the names. Parents first. Undefined when it is none.
 *
 * Layers are read once more for their digests, which nothing in such an archive says.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`, `REFERENCE_INVALID`
 */
export async function v1Images(
  files: ArchiveFiles,
  aborted: Aborted | undefined,
): Promise<ArchiveImage[] | undefined> {
  const ids = files.folders().filter((folder) => files.find(`${folder}/json`) !== undefined);
  if (ids.length === 0) return undefined;
  const names = await namesIn(files);
  const chains = new V1Chains(files, aborted);
  for (const id of ids) await chains.make(id);
  for (const [id, given] of names) {
    const image = chains.made.get(id);
    if (image === undefined)
      throw badArchive(`repositories names the image ${JSON.stringify(id)}, which is missing`);
    image.names.push(...given);
  }
  const parents = new Set([...chains.made.values()].map(({ parent }) => parent));
  return [...chains.made.values()].map(({ history: _history, diffIds: _diffIds, ...image }) => ({
    ...image,
    ...(parents.has(image.id) ? { intermediate: true } : {}),
  }));
}

/** Names by the folder's name. */
async function namesIn(files: ArchiveFiles): Promise<[id: string, names: string[]][]> {
  const file = files.find('repositories');
  if (file === undefined) return [];
  const root = parseJsonObject(await readDocument(file), 'repositories');
  const repositories = asRecord(root, 'repositories', (tags, where) => asRecord(tags, where, asString));
  return Object.entries(repositories).flatMap(([name, tags]) =>
    Object.entries(tags).map(([tag, id]): [string, string[]] => [id, [normalizeReference(`${name}:${tag}`)]]),
  );
}

class V1Chains {
  /** By the folder's name, parents first. */
  readonly made = new Map<string, Made>();
  readonly #files: ArchiveFiles;
  readonly #aborted: Aborted | undefined;
  #total = 0;

  constructor(files: ArchiveFiles, aborted: Aborted | undefined) {
    this.#files = files;
    this.#aborted = aborted;
  }

  /** An image and, before it, those below it. */
  async make(id: string): Promise<void> {
    const waiting: V1Image[] = [];
    for (let next: string | undefined = id; next !== undefined && !this.made.has(next); ) {
      if (waiting.some((image) => image.id === next))
        throw badArchive(`the parents of ${id} go round in a circle`);
      if (waiting.length >= MAX_DEPTH) throw tooDeep();
      const image: V1Image = await this.#read(next);
      waiting.push(image);
      next = image.parent;
    }
    for (const image of waiting.reverse()) this.made.set(image.id, await this.#make(image));
  }

  async #read(id: string): Promise<V1Image> {
    // It becomes part of paths.
    if (!/^[0-9a-f]{64}$/.test(id)) throw badArchive(`${JSON.stringify(id)} is not the id of an image`);
    const json = await readDocument(needFile(this.#files, `${id}/json`));
    const { parent } = parseJsonObject(json, `${id}/json`);
    return {
      id,
      parent:
        parent === undefined || parent === null || parent === ''
          ? undefined
          : asString(parent, `${id}/json.parent`),
      json,
      layer: needFile(this.#files, `${id}/layer.tar`),
    };
  }

  async #make({ parent, json, layer }: V1Image): Promise<Made> {
    const below = parent === undefined ? undefined : this.made.get(parent);
    if ((below?.layers.length ?? 0) >= MAX_DEPTH) throw tooDeep();
    const diffId = await this.#diffIdOf(layer);
    const made = configOfV1(json, below ?? { history: [], diffIds: [] }, diffId);
    this.#total += made.config.length;
    if (made.config.length > MAX_DOCUMENT_SIZE || this.#total > MAX_TOTAL) {
      throw new SlipwayError('exhausted', 'the configurations of the images in the archive are too large', {
        code: 'DOCUMENT_TOO_LARGE',
      });
    }
    return {
      ...made,
      id: digestOf(made.config),
      names: [],
      layers: [...(below?.layers ?? []), { diffId, file: layer }],
      ...(below === undefined ? {} : { parent: below.id }),
    };
  }

  async #diffIdOf(layer: ArchiveFile): Promise<Digest> {
    const hash = createHash('sha256');
    for await (const chunk of decompress(layer.read(this.#aborted))) hash.update(chunk);
    return `sha256:${hash.digest('hex')}`;
  }
}

function tooDeep(): SlipwayError {
  return badArchive(`an image in it has more than ${MAX_DEPTH} layers`);
}
