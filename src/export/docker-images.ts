import { digestOf } from '../image/digest.ts';
import { asList, asObject, asString, optional, parseJson } from '../image/json-guard.ts';
import { parseImageConfig } from '../image/parse-config.ts';
import { normalizeReference } from '../image/reference.ts';
import { type ArchiveFiles, badArchive, needFile, readDocument } from './archive-files.ts';
import type { ArchiveImage } from './archive-image.ts';

/**
 * The images that manifest.json of a docker archive lists.
 *
 * @throws SlipwayError `ARCHIVE_INVALID`, `DOCUMENT_INVALID`, `DIGEST_MISMATCH`, `REFERENCE_INVALID`.
 */
export async function dockerImages(files: ArchiveFiles, manifest: Buffer): Promise<ArchiveImage[]> {
  const what = 'manifest.json';
  const entries = asList(parseJson(manifest, what), what, (value, where) => {
    const object = asObject(value, where);
    return {
      config: asString(object.Config, `${where}.Config`),
      layers: asStrings(object.Layers ?? [], `${where}.Layers`),
      ...optional(object, 'RepoTags', where, asStrings),
    };
  });
  const images: ArchiveImage[] = [];
  for (const { config, layers, RepoTags = [] } of entries) {
    const bytes = await readDocument(needFile(files, config));
    const parsed = parseImageConfig(bytes);
    const id = digestOf(bytes);
    checkName(config, id);
    const diffIds = parsed.rootfs.diff_ids;
    if (layers.length !== diffIds.length) {
      throw badArchive(`${config} has ${diffIds.length} layers, manifest.json lists ${layers.length}`);
    }
    images.push({
      id,
      config: bytes,
      // A digest among the names says nothing that is to be kept.
      names: RepoTags.filter((name) => !name.includes('@')).map(normalizeReference),
      layers: layers.map((path, i) => ({ diffId: diffIds[i]!, file: needFile(files, path) })),
    });
  }
  return images;
}

/** Where the file's name is a digest, it must be the content's. */
function checkName(path: string, id: string): void {
  const hex = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(path)?.[1];
  if (hex !== undefined && id !== `sha256:${hex}`) {
    throw badArchive(`the configuration ${path} has the digest ${id}`);
  }
}

function asStrings(value: unknown, where: string): string[] {
  return asList(value, where, asString);
}
