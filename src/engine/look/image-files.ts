import { cleanPath } from '../../context/clean-path.ts';
import type { FileNode } from '../../context/file-tree.ts';
import { resolvePath } from '../../context/resolve-path.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { ExportRequest } from '../../execute/worker/export-operations.ts';
import { ListingTree } from '../../layer/listing-tree.ts';
import { joinPath } from '../../layer/paths.ts';
import { type BytePath, bytesOf, textOf } from '../../sys/bytes.ts';
import { type StoreOptions, withSession } from '../with-session.ts';
import { imageContent } from './image-content.ts';

/** A name in an image. */
export interface ImageFile {
  path: BytePath;
  node: FileNode;
}

/**
 * What lies in an image: at each of `paths` and below, or everything. A path is resolved as a process in the image
 * would, but for a link at its end.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `PATH_NOT_FOUND`
 */
export function listImageFiles(
  options: StoreOptions & {
    image: string;
    paths?: readonly string[] /** From 1: of that layer alone. */;
    layer?: number;
  },
): Promise<ImageFile[]> {
  return withSession(options, async (store, session) => {
    const { listings } = await imageContent(store, session, options.image);
    const tree = new ListingTree(onlyLayer(listings, options.layer));
    const files: ImageFile[] = [];
    const visit = (path: BytePath): void => {
      const node = tree.lstat(path);
      if (node !== undefined && path !== '') files.push({ path, node });
      for (const name of tree.readdir(path)) visit(joinPath(path, name));
    };
    const paths = options.paths ?? [];
    for (const path of paths.length === 0 ? ['/'] : paths)
      visit(found(tree, path, false, options.image).path);
    return files;
  });
}

function onlyLayer<Listing>(listings: readonly Listing[], layer: number | undefined): readonly Listing[] {
  if (layer === undefined) return listings;
  const listing = listings[layer - 1];
  if (listing !== undefined) return [listing];
  throw new SlipwayError('not-found', `there is no layer ${layer}`, {
    code: 'LAYER_NOT_FOUND',
    hint: `The image has ${listings.length} layers, from 1 for the base: slipway image layers shows them.`,
  });
}

/**
 * Writes the content of a file of an image to standard output. Links are followed inside the image.
 *
 * @throws SlipwayError `IMAGE_NOT_FOUND`, `PATH_NOT_FOUND`, `NOT_A_FILE`
 */
export function catImageFile(options: StoreOptions & { image: string; path: string }): Promise<void> {
  return withSession({ ...options, inheritStdio: true }, async (store, session) => {
    const { layers, listings } = await imageContent(store, session, options.image);
    const { path, node } = found(new ListingTree(listings), options.path, true, options.image);
    if (node.type !== 'file') {
      const what = node.type === 'directory' ? 'a directory' : `a ${node.type}`;
      throw new SlipwayError('invalid', `/${textOf(path)} is ${what}, no file`, { code: 'NOT_A_FILE' });
    }
    const { client } = await session.worker();
    const request: ExportRequest = {
      format: 'rootfs-file',
      layers: layers.flatMap(({ stack }) => stack),
      path,
      output: { kind: 'fd', fd: 1 },
    };
    await client.call('export', request, options.signal ? { signal: options.signal } : {});
  });
}

function found(
  tree: ListingTree,
  text: string,
  final: boolean,
  image: string,
): { path: BytePath; node: FileNode } {
  const { path, node } = resolvePath(tree, cleanPath(bytesOf(text)), { final });
  if (node !== undefined) return { path, node };
  throw new SlipwayError('not-found', `no such file in ${image}: ${text}`, {
    code: 'PATH_NOT_FOUND',
    hint: 'slipway image ls-files shows what there is.',
  });
}
