import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { BuildResult, BuiltImage } from '../engine/options.ts';
import { SlipwayError } from '../errors/index.ts';
import type { Descriptor } from '../image/types.ts';

export interface MetadataOptions {
  /** BUILDX_METADATA_WARNINGS: warnings are written too. */
  warnings: boolean;
}

/**
 * What `--metadata-file` holds (SPEC 3.6), in the order of its keys: of one image an object, of several stages an
 * object for each. An image that only went into the store is named by its id, and one of which only files were written
 * not at all, as by the engine.
 */
export function buildMetadata(result: BuildResult, options: MetadataOptions): Record<string, unknown> {
  const { images } = result;
  const described = images.map((image) => [image.stage, describe(image, result.buildId)] as const);
  const warnings = options.warnings
    ? {
        'buildx.build.warnings': result.warnings.map(({ code, message, range }) => ({
          code,
          message,
          range,
        })),
      }
    : {};
  return { ...warnings, ...(images.length === 1 ? described[0]![1] : Object.fromEntries(described)) };
}

/** Writes it whole or not at all. Throws `invalid`, code METADATA_FILE. */
export function writeMetadataFile(path: string, metadata: Record<string, unknown>): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, JSON.stringify(metadata, undefined, 2), { flag: 'wx' });
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlipwayError('invalid', `the metadata file cannot be written to ${path}: ${why}`, {
      code: 'METADATA_FILE',
      cause,
    });
  }
}

function describe(image: BuiltImage, buildId: string): Record<string, unknown> {
  const { imageId, manifest, tags, stored, index } = image;
  // Builder and node, as buildx has them; the id is the one that `slipway builds` takes.
  const ref = { 'buildx.build.ref': `default/default/${buildId}` };
  if (manifest === undefined && !stored) return ref;
  const name = tags.length === 0 ? {} : { 'image.name': tags.join(',') };
  // Of an index BuildKit says no configuration.
  if (index !== undefined)
    return {
      ...ref,
      ...(manifest === undefined ? {} : { 'containerimage.descriptor': manifest }),
      'containerimage.digest': manifest?.digest ?? index,
      ...name,
    };
  return {
    ...ref,
    'containerimage.config.digest': imageId,
    ...(manifest === undefined ? {} : { 'containerimage.descriptor': descriptorOf(image, manifest) }),
    'containerimage.digest': manifest?.digest ?? imageId,
    ...name,
  };
}

/** The manifest as BuildKit describes it: the configuration and its time among the annotations, and the platform. */
function descriptorOf({ imageId, created, platform }: BuiltImage, manifest: Descriptor): object {
  const { os, architecture, variant } = platform;
  const { mediaType, digest, size, annotations } = manifest;
  return {
    mediaType,
    digest,
    size,
    annotations: {
      ...annotations,
      'config.digest': imageId,
      ...(created === undefined ? {} : { 'org.opencontainers.image.created': created }),
    },
    platform: { architecture, os, ...(variant ? { variant } : {}) },
  };
}
