import { Buffer } from 'node:buffer';
import type { LayerEntry } from '../../layer/types.ts';
import type { Cause, FileAspect, FileCause } from './cause.ts';
import type { SelectionChange } from './part-causes.ts';

/** Names that are listed one by one. */
const MAX_FILES = 20;

/** How two selections differ, name by name; `place` says where the files come from. */
export function fileCauses(
  before: readonly LayerEntry[] | undefined,
  after: readonly LayerEntry[] | undefined,
  place: Pick<FileCause, 'from' | 'mount'>,
  ignore: NonNullable<SelectionChange['ignore']> = { owner: false, mode: false, directories: false },
): Cause[] {
  if (before === undefined || after === undefined)
    return [{ kind: 'files-unknown', ...place, why: 'not-recorded' }];
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const now = new Map(after.map((entry) => [entry.path, entry]));
  const causes: FileCause[] = [];
  for (const path of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [a, b] = [old.get(path), now.get(path)];
    const name = Buffer.from(path, 'latin1').toString('utf8') || '.';
    if (ignore.directories && (a ?? b)!.type === 'directory') continue;
    if (a === undefined) causes.push({ kind: 'file', path: name, change: 'added', ...place });
    else if (b === undefined) causes.push({ kind: 'file', path: name, change: 'removed', ...place });
    else {
      const what = differences(a, b).filter(
        (aspect) => !(aspect in ignore && ignore[aspect as 'owner' | 'mode']),
      );
      if (what.length > 0) causes.push({ kind: 'file', path: name, change: 'changed', what, ...place });
    }
  }
  const mayBeEqual = ignore.owner || ignore.mode || ignore.directories;
  if (causes.length === 0 && mayBeEqual) return [];
  if (causes.length === 0) return [{ kind: 'files-unknown', ...place, why: 'no-visible-difference' }];
  if (causes.length <= MAX_FILES) return causes;
  return [...causes.slice(0, MAX_FILES), { kind: 'more-files', count: causes.length - MAX_FILES }];
}

function differences(a: LayerEntry, b: LayerEntry): FileAspect[] {
  if (a.type !== b.type) return ['type'];
  const what: FileAspect[] = [];
  // Of two names of one inode only the first has the content.
  if (a.hardLink !== b.hardLink) what.push('hard link');
  else if (a.size !== b.size || a.sha256 !== b.sha256) what.push('content');
  if (a.link !== b.link) what.push('link');
  if (a.type !== 'symlink' && a.mode !== b.mode) what.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) what.push('owner');
  if (a.major !== b.major || a.minor !== b.minor) what.push('device');
  return what;
}
