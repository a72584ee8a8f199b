import { join } from 'node:path';

/**
 * Names of record folders begin with the time of the build, so that they sort by it. `.kept`: not listed any more,
 * but the cache still holds results of it. `.gone`: being deleted.
 */
const NAME = /^([0-9a-z]{9})\.([0-9a-f]{12})(\.kept)?$/;

/** The folder of all build records of a store. */
export function buildsPath(root: string): string {
  return join(root, 'builds');
}

/** The folder of one build; `started` in milliseconds since 1970. */
export function buildFolder(root: string, started: number, id: string): string {
  return join(buildsPath(root), `${Math.floor(started).toString(36).padStart(9, '0')}.${id}`);
}

export interface BuildFolderName {
  started: number;
  id: string;
  /** No longer listed. */
  kept: boolean;
}

/** What a folder's name says, or undefined for what is not the record of a build. */
export function parseBuildFolder(name: string): BuildFolderName | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  return { started: Number.parseInt(match[1]!, 36), id: match[2]!, kept: match[3] !== undefined };
}

/** The whole record: appears when the build has ended. */
export const RECORD_FILE = 'record.json';
/** The same while it runs: its state when the first step began, then one line for each change. */
export const JOURNAL_FILE = 'journal';

/** Output of the step at `index` of the record. */
export function logName(index: number): string {
  return `log-${index}`;
}

/** Listing of what the step at `index` selected, for `selection` as `content` or `mount 0 content`. */
export function listingName(index: number, selection: string): string {
  return `files-${index}-${selection.replaceAll(' ', '-')}`;
}
