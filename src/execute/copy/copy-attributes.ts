import { applyChmod, parseChmod } from '../../dockerfile/chmod.ts';
import type { CopyOperation } from '../../plan/types.ts';
import type { SelectedFile } from '../executor.ts';
import type { Owner } from '../step/metadata-keeper.ts';

/** What COPY may change on the way. */
export interface CopyAttributes {
  /** Owner for everything (`--chown`); undefined keeps the source's when `keepOwner`, else 0:0. */
  owner: Owner | undefined;
  /** Stages and images keep owners; a build context has none (DESIGN, decision 5). */
  keepOwner: boolean;
  /** New permission bits for an entry that has `mode` (`--chmod`); links are left alone. */
  chmod: ((mode: number, directory: boolean) => number) | undefined;
}

/** Those of an instruction; `owner` is what its `--chown` means in the stage. */
export function attributesOf(
  { chmod: text }: Pick<CopyOperation, 'chmod'>,
  keepOwner: boolean,
  owner: Owner | undefined,
): CopyAttributes {
  const chmod = text === undefined ? undefined : parseChmod(text);
  return {
    owner,
    keepOwner,
    chmod: chmod && ((mode, directory) => applyChmod(chmod, { mode, isDirectory: directory })),
  };
}

/** Permission bits that a selected name gets. */
export function modeOf({ type, mode, newMode }: SelectedFile, { chmod }: CopyAttributes): number {
  const given = newMode ?? mode;
  return chmod === undefined ? given : chmod(given, type === 'directory');
}

/** The owner that it gets. */
export function ownerOf(file: SelectedFile, { owner, keepOwner }: CopyAttributes): Owner {
  const { uid = 0, gid = 0 } = owner ?? (keepOwner ? file : {});
  return { uid, gid };
}
