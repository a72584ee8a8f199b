import { createReadStream, mkdirSync, readFileSync } from 'node:fs';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { decompress } from '../layer/compress.ts';
import { decodeOverrides } from '../layer/listing.ts';
import { hashLayer } from '../layer/pack.ts';
import type { PackResult } from '../layer/pack-options.ts';
import type { Overrides } from '../layer/types.ts';
import { unpackLayer } from '../layer/unpack.ts';
import type { Finding, LayerCheck } from './check.ts';
import { deleteTree } from './collect.ts';
import { blobPath, type LeaseId, layerDirectory, overridesPath, temporaryPath } from './layout.ts';

export interface CheckLayersOptions {
  aborted?: () => boolean;
  /** Told before each layer: its number from 0, and how many there are. */
  progress?: (done: number, total: number) => void;
}

/**
 * The worker's half of `system check`: computes every layer's digest again from its directory. A layer that came in
 * a blob is unpacked from it once more and compared with its directory. Errors of one layer are findings; only a
 * cancel and a full disk end the check.
 */
export async function checkLayers(
  root: string,
  lease: LeaseId,
  layers: readonly LayerCheck[],
  options: CheckLayersOptions = {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [i, layer] of layers.entries()) {
    options.progress?.(i, layers.length);
    const why = await problemOf(root, lease, layer, options);
    if (why === undefined) continue;
    findings.push({ code: 'LAYER_DAMAGED', message: `layer ${layer.id}: ${why}`, subject: layer.id });
  }
  return findings;
}

async function problemOf(
  root: string,
  lease: LeaseId,
  layer: LayerCheck,
  options: CheckLayersOptions,
): Promise<string | undefined> {
  try {
    const packed = packDirectory(root, layer, options);
    return layer.origin === undefined
      ? compare(layer, packed)
      : await compareWithOrigin(root, lease, layer, packed, options);
  } catch (error) {
    // A layer is not to blame for what ends the check.
    if (error instanceof SlipwayError && (error.kind === 'canceled' || error.kind === 'exhausted'))
      throw error;
    if (isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT')) throw error;
    return (error as Error).message;
  }
}

function packDirectory(root: string, layer: LayerCheck, options: CheckLayersOptions): PackResult {
  const { clampMtime, root: rootEntry, userxattr, overrides } = layer.recipe ?? {};
  return hashLayer(layerDirectory(root, layer.id), {
    packer: layer.packer,
    below: layer.stack.slice(0, -1).map((id) => layerDirectory(root, id)),
    ...(clampMtime === undefined ? {} : { clampMtime }),
    ...(rootEntry === undefined ? {} : { root: rootEntry }),
    ...(userxattr === undefined ? {} : { userxattr }),
    ...(overrides === undefined
      ? {}
      : { overrides: decodeOverrides(readFileSync(overridesPath(root, layer.id))) }),
    ...(options.aborted === undefined ? {} : { aborted: options.aborted }),
  });
}

function compare(
  layer: LayerCheck,
  found: { diffId: string; tarSize: number; size: number },
): string | undefined {
  if (found.diffId !== layer.diffId) return `it has the digest ${found.diffId}, recorded is ${layer.diffId}`;
  if (found.tarSize !== layer.tarSize || found.size !== layer.size) {
    return `it has ${found.size} bytes of files and ${found.tarSize} packed, recorded are ${layer.size} and ${layer.tarSize}`;
  }
  return undefined;
}

async function compareWithOrigin(
  root: string,
  lease: LeaseId,
  layer: LayerCheck,
  packed: PackResult,
  options: CheckLayersOptions,
): Promise<string | undefined> {
  const directory = temporaryPath(root, lease, `check-${layer.id}`);
  const userxattr = layer.recipe?.userxattr ?? false;
  const aborted = options.aborted === undefined ? {} : { aborted: options.aborted };
  // Directories without an entry in the archive took their metadata from layers below: believe the ones there are.
  const directories = new Map(packed.entries.filter((e) => e.type === 'directory').map((e) => [e.path, e]));
  mkdirSync(directory, { mode: 0o755 });
  try {
    const blob = createReadStream(blobPath(root, layer.origin!.digest), { highWaterMark: 1 << 20 });
    const again = await unpackLayer(decompress(blob), directory, {
      userxattr,
      lowerDirectory: (path) => directories.get(path),
      ...aborted,
    });
    const overrides: Overrides = again.overrides;
    const repacked = hashLayer(directory, { packer: layer.packer, userxattr, overrides, ...aborted });
    if (repacked.diffId !== packed.diffId) return 'its directory is not what its blob holds';
    return compare(layer, again);
  } finally {
    deleteTree(directory);
  }
}
