import { lstatSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import type { CopyOperation } from '../../plan/types.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import type { SelectedSource } from '../executor.ts';
import { joinRoot, resolveInRoot } from '../step/root-path.ts';

/**
 * Where each source of a COPY lands in a root file system that it has not been done on yet, relative to the root
 * and without links: what `copyStep` finds out as it goes (SPEC C3, C4, C16).
 *
 * Undefined where that depends on what earlier sources of the line leave, or where the instruction fails.
 */
export function copyTargets(
  root: BytePath,
  operation: Pick<CopyOperation, 'destination'>,
  sources: readonly SelectedSource[],
): BytePath[] | undefined {
  const directories = sources.filter((source) => source.directory).length;
  if (directories !== 0 && directories !== sources.length) return undefined;
  const destination = bytesOf(operation.destination);
  const resolved = resolve(root, destination);
  if (resolved === undefined) return undefined;
  const { existing, missing } = resolved;
  const to = [...existing, ...missing].join('/');
  const isThere = missing.length === 0;
  const isDirectory = isThere && lstatSync(bufferOf(joinRoot(root, existing))).isDirectory();
  const isMeantAsOne = destination.endsWith('/');
  if (isThere && !isDirectory && (directories > 0 || isMeantAsOne)) return undefined;
  if (directories > 0) return sources.map(() => to);
  if (!isDirectory && !isMeantAsOne) return sources.map(() => to);
  return sources.map(({ name }) => (to === '' ? name : `${to}/${name}`));
}

function resolve(root: BytePath, path: BytePath): ReturnType<typeof resolveInRoot> | undefined {
  try {
    return resolveInRoot(root, path);
  } catch (error) {
    if (error instanceof SlipwayError) return undefined;
    throw error;
  }
}
