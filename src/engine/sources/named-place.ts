import { join } from 'node:path';
import { clampPath, cleanPath } from '../../context/clean-path.ts';
import type { ContextSource } from '../../context/context-source.ts';
import { resolvePath } from '../../context/resolve-path.ts';
import { sourceNotFound } from '../../context/source-not-found.ts';
import { SlipwayError } from '../../errors/index.ts';
import { type LocalPlace, parseLocalPlace } from '../../image/transport.ts';
import { bytesOf } from '../../sys/bytes.ts';

/**
 * The layout or archive that a Dockerfile names, and where it lies. A Dockerfile may be anybody's, so that it reaches
 * files of the build context alone, links followed inside of it; what lies elsewhere is named on the command line.
 *
 * @throws SlipwayError `invalid` PLACE_OUTSIDE; `not-found` SOURCE_NOT_FOUND; `usage` TRANSPORT_INVALID
 */
export function placeInContext(name: string, context: ContextSource): { place: LocalPlace; path: string } {
  const place = parseLocalPlace(name)!;
  const { path: named } = place;
  if (named.startsWith('/') || /^\.\.(?:\/|$)/.test(cleanPath(named))) throw outside(name, named);
  const { tree, root } = context;
  const { path, node } = resolvePath(tree, bytesOf(clampPath(named)), { final: true });
  if (node === undefined || root === undefined)
    throw sourceNotFound(tree, {
      source: named,
      path: bytesOf(clampPath(named)),
      request: { sources: [named], where: 'the build context', context },
    });
  // Blobs are read by their paths: no link on the way leads out.
  const folders = node.type === 'directory' ? ['blobs', 'blobs/sha256'] : [];
  for (const folder of folders) {
    const inside = path === '' ? folder : `${path}/${folder}`;
    if (tree.lstat(inside)?.type === 'symlink') throw outside(name, `${named}/${folder}`);
  }
  return { place, path: path === '' ? root : join(root, Buffer.from(path, 'latin1').toString('utf8')) };
}

function outside(name: string, path: string): SlipwayError {
  return new SlipwayError('invalid', `${name}: ${JSON.stringify(path)} is not in the build context`, {
    code: 'PLACE_OUTSIDE',
    hint: `A Dockerfile names archives of its build context alone. Give another as a named context: --build-context base=${name}, and write FROM base.`,
  });
}
