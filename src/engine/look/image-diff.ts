import type { Digest, ImageConfig } from '../../image/types.ts';
import { ListingTree } from '../../layer/listing-tree.ts';
import { textOf } from '../../sys/bytes.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { type ImageContent, imageContent } from './image-content.ts';
import { type Aspect, type TreeChange, treeChanges } from './tree-changes.ts';

export interface ImageDiffOptions extends StoreOptions {
  before: string;
  after: string;
  /** Aspects of files that do not count. */
  ignore?: readonly Aspect[];
}

/** In what two images differ. Plain data, paths as readable text. */
export interface ImageDiff {
  /** Values of the configuration by their names (`Env.PATH`, `Labels.a`, `Cmd`), as JSON; undefined where there is none. */
  config: { name: string; before: string | undefined; after: string | undefined }[];
  /** Layers that stand at the same place and are not equal, bottom first. */
  layers: LayerDifference[];
  files: (Omit<TreeChange, 'path'> & { path: string })[];
}

export interface LayerDifference {
  /** From 1 for the base. */
  number: number;
  before: Digest | undefined;
  after: Digest | undefined;
}

/**
 * Compares two images: what to look at when two builds of one Dockerfile are not equal.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`
 */
export function diffImages(options: ImageDiffOptions): Promise<ImageDiff> {
  return withSession(options, async (store, session) => {
    const before = await imageContent(store, session, options.before, { digests: true });
    const after = await imageContent(store, session, options.after, { digests: true });
    const ignored = new Set(options.ignore ?? []);
    const changes = treeChanges(treeOf(before), treeOf(after), ignored);
    return {
      config: configChanges(before.config, after.config),
      layers: layerChanges(before, after),
      files: changes.map((change) => ({ ...change, path: `/${textOf(change.path)}` })),
    };
  });
}

function treeOf({ listings }: ImageContent): ListingTree {
  return new ListingTree(listings);
}

function layerChanges(before: ImageContent, after: ImageContent): LayerDifference[] {
  const count = Math.max(before.layers.length, after.layers.length);
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    before: before.layers[index]?.diffId,
    after: after.layers[index]?.diffId,
  })).filter((layer) => layer.before !== layer.after);
}

function configChanges(before: ImageConfig, after: ImageConfig): ImageDiff['config'] {
  const [old, young] = [configValues(before), configValues(after)];
  const names = [...new Set([...old.keys(), ...young.keys()])].sort();
  return names
    .map((name) => ({ name, before: old.get(name), after: young.get(name) }))
    .filter((each) => each.before !== each.after);
}

/** All but layers and history, each value by a name of its own; variables and labels one by one. */
function configValues({ config, rootfs: _, history: __, ...rest }: ImageConfig): Map<string, string> {
  const values = new Map<string, string>();
  const put = (name: string, value: unknown): void => {
    if (value !== undefined && value !== null) values.set(name, JSON.stringify(value));
  };
  for (const [name, value] of Object.entries(rest)) put(name, value);
  const { Env: env = [], Labels: labels = {}, ...others } = config;
  for (const [name, value] of Object.entries(others)) put(name, value);
  for (const [name, value] of Object.entries(labels ?? {})) put(`Labels.${name}`, value);
  for (const variable of env ?? []) {
    const equals = variable.indexOf('=');
    put(
      `Env.${variable.slice(0, equals < 0 ? undefined : equals)}`,
      equals < 0 ? '' : variable.slice(equals + 1),
    );
  }
  return values;
}
