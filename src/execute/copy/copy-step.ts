import { lstatSync, unlinkSync, writeFileSync } from 'node:fs';
import type { CopyOperation } from '../../plan/types.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import type { Sys } from '../../sys/sys.ts';
import type { SelectedSource } from '../executor.ts';
import { resolveOwner } from '../step/account.ts';
import { type KeptMetadata, MetadataKeeper } from '../step/metadata-keeper.ts';
import { ensureDirectory, joinRoot, resolveInRoot } from '../step/root-path.ts';
import { attributesOf, type CopyAttributes } from './copy-attributes.ts';
import { fileOverDirectory, refuseWhiteoutName } from './copy-entry.ts';
import { copyTree } from './copy-tree.ts';
import { extractArchive, isArchive } from './extract.ts';

export interface CopyStepRequest {
  operation: CopyOperation;
  /** Absolute path of the mounted root file system that is copied to. */
  root: BytePath;
  /** Absolute path of the directory that the sources are relative to; undefined when there are only heredocs. */
  from: BytePath | undefined;
  sources: SelectedSource[];
  /** The sources come from a stage or image: owners are kept. */
  keepOwner: boolean;
}

/**
 * COPY and ADD: sources in the order of the line, then heredocs (SPEC 1.10, 1.11, 1.12 A1 to A3).
 * Errors as `copyTree` and `extractArchive`; `canceled` soon after `aborted` says so.
 */
export async function copyStep(
  sys: Sys,
  request: CopyStepRequest,
  aborted: () => boolean = () => false,
): Promise<KeptMetadata> {
  const { operation, root, sources } = request;
  const keeper = new MetadataKeeper(sys);
  const owner = operation.chown === undefined ? undefined : resolveOwner(root, operation.chown);
  const attributes = attributesOf(operation, request.keepOwner, owner);
  const destination = bytesOf(operation.destination);
  const onCreate = parentMaker(keeper, attributes);

  for (const source of sources) {
    const base = source.root === undefined ? (request.from ?? '') : bytesOf(source.root);
    const from = joinRoot(base, source.path === '' ? [] : [source.path]);
    const unpack = operation.instruction === 'ADD' && (source.unpack ?? operation.unpack !== false);
    if (unpack && !source.directory) {
      const type = source.files[0]?.type;
      if (type === 'file' && (await isArchive(from))) {
        const target = ensureDirectory(root, destination, onCreate);
        const { sha256 = '' } = source.files[0]!;
        await extractArchive(sys, { archive: from, sha256, target, owner, keeper, aborted });
        continue;
      }
    }
    const to = targetOf(root, destination, source, onCreate);
    copyTree({ sys, from, to, source, attributes, keeper, aborted });
  }

  for (const heredoc of operation.heredocs) {
    const name = bytesOf(heredoc.name);
    const to = targetOf(root, destination, { name, directory: false }, onCreate);
    refuseWhiteoutName(to);
    removeFile(to);
    writeFileSync(bufferOf(to), heredoc.content, { flag: 'wx', mode: 0o600 });
    keeper.setOwner(to, owner ?? { uid: 0, gid: 0 });
    keeper.setMode(to, attributes.chmod ? attributes.chmod(0o644, false) : 0o644);
  }
  return keeper.kept;
}

/** Gives parents of a destination that had to be made what `--chown` and `--chmod` say. */
export function parentMaker(
  keeper: MetadataKeeper,
  { owner, chmod }: CopyAttributes,
): (path: BytePath) => void {
  return (path) => {
    if (owner) keeper.setOwner(path, owner);
    if (chmod) keeper.setMode(path, chmod(0o755, true));
  };
}

/**
 * Absolute path of what a source becomes: its name below a destination that ends with `/` or is a directory, else
 * the destination itself (C3, C4). Links in the destination are followed inside the root (C16).
 */
export function targetOf(
  root: BytePath,
  destination: BytePath,
  source: Pick<SelectedSource, 'name' | 'directory'>,
  onCreate: (path: BytePath) => void,
): BytePath {
  if (!source.directory && destination.endsWith('/')) {
    return `${ensureDirectory(root, destination, onCreate)}/${source.name}`;
  }
  const { existing, missing } = resolveInRoot(root, destination);
  const path = joinRoot(root, existing);
  if (missing.length === 0) {
    return !source.directory && lstatSync(bufferOf(path)).isDirectory() ? `${path}/${source.name}` : path;
  }
  const parent = ensureDirectory(root, joinRoot('', [...existing, ...missing.slice(0, -1)]), onCreate);
  return `${parent}/${missing.at(-1)!}`;
}

/** Makes way for a heredoc; a directory is not replaced by a file (C19). */
function removeFile(path: BytePath): void {
  const stat = lstatSync(bufferOf(path), { throwIfNoEntry: false });
  if (stat?.isDirectory()) throw fileOverDirectory(path);
  if (stat) unlinkSync(bufferOf(path));
}
