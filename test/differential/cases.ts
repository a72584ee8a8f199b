import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Compared } from './compare.ts';
import type { Entries } from './entries.ts';
import type { Listing, ListingChange } from './listing.ts';

const FOLDER = join(import.meta.dirname, '../../testdata/differential');

/** What a case needs beside its Dockerfile (`case.json`). */
interface CaseData {
  /** The build context; the Dockerfile lies outside of it. */
  context?: Entries;
  buildArgs?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
  /** The build has to fail, and this text is in both engines' messages. */
  fails?: string;
  differs?: Difference;
  /** Why it cannot come out the same for a user with a single id: whose kernel has no other owners to show to RUN. */
  singleId?: string;
  /** Why an ordinary user cannot build it, whatever ids there are. */
  ordinaryUser?: string;
  /** Why it comes out otherwise where no overlay can be mounted. */
  copies?: string;
  /** Why it cannot come out the same without isolation, where there are no mounts at all. */
  noIsolation?: string;
}

/** Where the result is another one on purpose. */
export interface Difference {
  reason: string;
  /** The beginning of the paragraph in docs/compatibility.md that says so. */
  documented: string;
  /** Lines of the listing that are ours; null where there is no such path. */
  root?: Record<string, string | null>;
  /** The text of our error, where only ours fails. */
  fails?: string;
  /** Ours does not fail, and makes these changes. */
  succeeds?: ListingChange;
}

export interface Case extends CaseData {
  name: string;
  /** Absolute path. */
  dockerfile: string;
  /** Another one, to be built before as `slipway.test/first-NAME:1`. */
  first: string | undefined;
}

/** What the engine made (`expected.json`): written by record.ts alone. */
export type Expected = Compared | { error: string };

/** What recorded the expectations, and the bases they stand on. */
export interface Recording {
  engine: string;
  builder: string;
  /** By name: digest of the archive without the program in it, and the files that the engine has of it. */
  bases: Record<string, { sha256: string; files: Listing }>;
}

/** A path that is not compared. */
export interface Ignored {
  /** Regular expression that a whole path has to match. */
  path: string;
  /** What of it is left out: the entry, or its time only. */
  what: 'entry' | 'time';
  /** The cases it holds for; all when absent. */
  cases?: string[];
  reason: string;
}

export function readCases(): Case[] {
  const folder = join(FOLDER, 'cases');
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'Dockerfile')))
    .sort()
    .map((name) => {
      const path = (file: string) => join(folder, name, file);
      const data = existsSync(path('case.json')) ? readJson<CaseData>(path('case.json')) : {};
      const first = existsSync(path('first.Dockerfile')) ? path('first.Dockerfile') : undefined;
      return { ...data, name, dockerfile: path('Dockerfile'), first };
    });
}

export const expectedPath = (name: string): string => join(FOLDER, 'cases', name, 'expected.json');
export const recordingPath = join(FOLDER, 'recording.json');

export function readExpected(name: string): Expected {
  return readJson<Expected>(expectedPath(name));
}

export function readRecording(): Recording {
  return readJson<Recording>(recordingPath);
}

export function readIgnored(): Ignored[] {
  return readJson<Ignored[]>(join(FOLDER, 'ignored.json'));
}

/** The files of the bases by image name; links to the program's applets are written out. */
export function readBases(): Record<string, Entries> {
  const { applets, bases } = readJson<{ applets: string[]; bases: Record<string, Entries> }>(
    join(FOLDER, 'bases.json'),
  );
  const links = Object.fromEntries(applets.map((name) => [`bin/${name}`, { symlink: 'busybox' }]));
  return Object.fromEntries(
    Object.entries(bases).map(([name, files]) => [
      name,
      files['bin/busybox'] === undefined ? files : { ...files, ...links },
    ]),
  );
}

/** The words that say to a build command what a case is. The same for every engine. */
export function buildFlags({ buildArgs = {}, labels = {}, target }: Partial<Case>): string[] {
  const pairs = (flag: string, values: Record<string, string>): string[] =>
    Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]);
  return [
    ...pairs('--build-arg', buildArgs),
    ...pairs('--label', labels),
    ...(target === undefined ? [] : ['--target', target]),
  ];
}

function readJson<Result>(path: string): Result {
  return JSON.parse(readFileSync(path, 'utf8')) as Result;
}
