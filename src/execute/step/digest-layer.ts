import { existsSync, lstatSync } from 'node:fs';
import type { LayerDigest } from '../../layer/types.ts';
import type { PackRecipe } from '../../store/layers.ts';
import { layerDirectory, overridesPath, temporaryPath } from '../../store/layout.ts';
import type { LayerBase, LayerId } from '../executor.ts';
import type { WorkerHost } from '../worker/host.ts';
import { shrinkHeap } from '../worker/shrink-heap.ts';
import { hashHeavy } from './hash-heavy.ts';
import { type HashTask, hashToListing } from './hash-layer.ts';
import { readOverrides } from './layer-overrides.ts';
import { isSmallLayer } from './small-layer.ts';

export interface DigestRequest {
  layer: LayerId;
  /** The layer whose directories lie under this one's, as parts of it. */
  base?: LayerBase | undefined;
  /** The layer under it, whose root directory's metadata need not be said again. */
  parent?: LayerId | undefined;
  clampMtime?: number | undefined;
  /** Others may be laid over it. */
  isBase?: boolean | undefined;
  /** False: nobody is known to look at its files, and `layerListings` has large ones digested once somebody does. */
  isRead?: boolean | undefined;
  /** See `HashTask`. */
  listedAs?: string | undefined;
}

/** A layer's digest, and what the packer must be told to give it again. */
export interface HashedLayer extends LayerDigest {
  recipe: PackRecipe;
}

/** The digest of a committed layer; its listing is written on the way. */
export async function digestLayer(host: WorkerHost, request: DigestRequest): Promise<HashedLayer> {
  const directory = layerDirectory(host.store, request.layer);
  const root = request.parent === undefined ? undefined : rootOf(host, request.parent);
  const overrides = overridesPath(host.store, request.layer);
  const hasOverrides = existsSync(overrides);
  const recipe: PackRecipe = {
    ...(host.userNamespace ? { userxattr: true } : {}),
    ...(request.clampMtime === undefined ? {} : { clampMtime: request.clampMtime }),
    ...(root ? { root } : {}),
    ...(hasOverrides ? { overrides: true } : {}),
  };
  const { base } = request;
  const written = host.writtenTrees.get(request.layer);
  host.writtenTrees.delete(request.layer);
  const task: HashTask = {
    store: host.store,
    directory,
    listedAs: request.listedAs,
    temporary: temporaryPath(host.store, host.lease, `listing-${request.layer}`),
    options: {
      ...recipeOptions(recipe),
      keepStates: request.isBase ?? false,
      ...(request.isRead === false ? { digests: 'small' as const } : {}),
      ...(base === undefined ? {} : { below: base.stack.map((id) => layerDirectory(host.store, id)) }),
    },
    below: base?.diffId,
    overridesPath: hasOverrides ? overrides : undefined,
    written,
  };
  if (base === undefined && written === undefined && isSmallLayer(directory))
    return { ...hashToListing(task), recipe };
  shrinkHeap();
  return { ...(await hashHeavy(task)), recipe };
}

/** A layer's root directory as the image has it. */
function rootOf(host: WorkerHost, layer: LayerId): NonNullable<PackRecipe['root']> {
  const recorded = readOverrides(host, layer)?.get('');
  const { mode, uid, gid } = recorded ?? lstatSync(layerDirectory(host.store, layer));
  return { mode: mode & 0o7777, uid, gid };
}

function recipeOptions({ userxattr, clampMtime, root }: PackRecipe): HashTask['options'] {
  return {
    userxattr: userxattr ?? false,
    ...(clampMtime === undefined ? {} : { clampMtime }),
    ...(root === undefined ? {} : { root }),
  };
}
