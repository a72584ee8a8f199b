import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { isErrno } from '../../errors/index.ts';
import type { Digest } from '../../image/types.ts';
import { blobPath, layerDirectory, listingPath, overridesPath } from '../layout.ts';

/** A layer to measure. */
export interface MeasuredLayer {
  layer: string;
  diffId: Digest;
  /** The blob that it came in. */
  origin?: Digest | undefined;
}

/** Of st_blocks, whatever the file system's own blocks are. */
const BLOCK_BYTES = 512;

/**
 * Bytes that layers take on the disk, by their ids: the directory with every inode once, what is recorded beside it
 * and the blob it came in. Only the worker can see all files. Stops when `aborted` says so; those that are left out
 * are not in the result.
 */
export function measureLayers(
  root: string,
  layers: readonly MeasuredLayer[],
  aborted: () => boolean = () => false,
): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const { layer, diffId, origin } of layers) {
    if (aborted()) break;
    const files = [overridesPath(root, layer), listingPath(root, diffId)];
    if (origin !== undefined) files.push(blobPath(root, origin));
    sizes[layer] = files.reduce(
      (sum, path) => sum + blocksOf(path),
      treeBytes(Buffer.from(layerDirectory(root, layer))),
    );
  }
  return sizes;
}

const SLASH = Buffer.from('/');

/**
 * Bytes that a directory and all in it take on the disk, hard links once, as `du` counts. What vanishes meanwhile counts
 * as nothing. `beat` is called for every directory; what it throws ends the walk.
 */
export function treeBytes(top: Buffer, beat: () => void = () => {}): number {
  const seen = new Set<string>();
  const waiting = [top];
  let bytes = blocksOf(top);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    beat();
    for (const name of namesIn(path)) {
      const child = Buffer.concat([path, SLASH, name]);
      const stat = statOf(child);
      if (stat === undefined) continue;
      if (stat.isDirectory()) waiting.push(child);
      else if (stat.nlink > 1) {
        const inode = `${stat.dev}:${stat.ino}`;
        if (seen.has(inode)) continue;
        seen.add(inode);
      }
      bytes += stat.blocks * BLOCK_BYTES;
    }
  }
  return bytes;
}

function blocksOf(path: string | Buffer): number {
  return (statOf(path)?.blocks ?? 0) * BLOCK_BYTES;
}

/** What is deleted meanwhile takes nothing; what lies too deep for a path is left out. */
function statOf(path: string | Buffer): Stats | undefined {
  return unlessOutOfReach(() => lstatSync(path));
}

function namesIn(path: Buffer): Buffer[] {
  return unlessOutOfReach(() => readdirSync(path, 'buffer')) ?? [];
}

function unlessOutOfReach<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
