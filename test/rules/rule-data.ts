import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entries } from '../differential/entries.ts';

const DATA = join(import.meta.dirname, '../../testdata');

/** A rule of the Dockerfile language (`testdata/rules/rules.json`). */
export interface Rule {
  id: string;
  /** What it says; `[E]` where something is refused. */
  rule: string;
}

/** What a build has to show (`testdata/rules/cases`). Everything absent is not looked at. */
export interface Expectation {
  /** Absolute path to a file's text; null where there must be nothing. */
  files?: Record<string, string | null>;
  /** Absolute path to the beginning of its line in a listing (`listFiles`): `file 0644 0:0`. */
  entries?: Record<string, string>;
  /** Parts of the configuration; null for what must be absent. */
  config?: Record<string, unknown>;
  author?: string;
  architecture?: string;
  /** Times of the image and of the last entry of its history. */
  created?: [string, string];
  /** `created_by` of all entries that are not the base's. */
  history?: string[];
  /** How many layers the image has. */
  layers?: number;
  /** All warnings, as `NAME: text, line N`. */
  warnings?: string[];
  /** Names of all steps. */
  steps?: string[];
  /** Output of the steps whose name holds the key. */
  logs?: Record<string, string>;
  unusedBuildArgs?: string[];
  /** How many steps ran, and how many results were reused. */
  ran?: number;
  reused?: number;
  /** The build is refused, and these texts are in what the command prints. */
  fails?: string[];
  /** Texts of ours beside them, which no other builder prints. */
  hints?: string[];
}

/** Settings of a build, named as the library has them. */
export interface CaseSettings {
  /** Lines of the Dockerfile; without it the context has one. */
  dockerfile?: string[];
  context?: Entries;
  buildArgs?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
  noCache?: boolean;
  network?: 'default' | 'none' | 'host';
  secrets?: Record<string, { value: string } | { env: string } | { file: string }>;
  /** What else the library takes. */
  options?: Record<string, unknown>;
  env?: Record<string, string>;
  /** Path of the Dockerfile, from the context. */
  file?: string;
  /** Bytes for standard input, which is the context then: a text, or an archive. */
  stdin?: string | { tar: Entries; compress?: 'gzip' | 'zstd' };
}

export interface RuleCase extends CaseSettings, Expectation {
  rules: string[];
  name: string;
  /** Another Dockerfile, built before as `first`. */
  first?: string[];
  /** Further builds in the same store, each with what differs from the one before. */
  again?: (CaseSettings & Expectation)[];
  /** Why a Docker engine of 2024 (BuildKit 0.13) does not show it. */
  engine?: string;
  /** Words for `slipway build`, which is run in place of the library. */
  command?: string[];
}

/** An entry of `testdata/plan/errors.json`: what an engine said, and what we say where that is another text. */
export interface RecordedError {
  rules?: string[];
  file: string;
  error: string;
  ours?: string;
}

/** Which rules the recorded cases of other suites show, by folder of `testdata` and name. */
interface Recorded {
  differential: Record<string, string[]>;
  grammar: Record<string, string[]>;
  context: string[];
  /** Suites whose cases cannot be data (agents, servers): test file, then a title in it. */
  suites: Record<string, Record<string, string[]>>;
}

export const rules = readJson<Rule[]>('rules/rules.json');
export const recorded = readJson<Recorded>('rules/recorded.json');
/** Rules that have no case yet. */
export const pending = readJson<string[]>('rules/pending.json');
export const recordedErrors = readJson<{ cases: RecordedError[] }>('plan/errors.json').cases;

export const cases: RuleCase[] = readdirSync(join(DATA, 'rules/cases'))
  .sort()
  .flatMap((name) => readJson<RuleCase[]>(`rules/cases/${name}`));

export interface Coverage {
  /** Names of the cases of each rule. */
  casesOf: Map<string, string[]>;
  /** Ids that cases name and the list of rules does not have. */
  unknown: string[];
}

/** Lists the rules against all data that names them. */
export function coverage(): Coverage {
  const casesOf = new Map(rules.map(({ id }) => [id, [] as string[]]));
  const unknown = new Set<string>();
  const add = (ids: readonly string[] | undefined, name: string): void => {
    for (const id of ids ?? []) {
      const list = casesOf.get(id);
      if (list === undefined) unknown.add(id);
      else list.push(name);
    }
  };
  for (const one of cases) add(one.rules, `rules: ${one.name}`);
  for (const one of recordedErrors) add(one.rules, `errors: ${one.file}`);
  for (const { rule, word } of readJson<{ cases: { rule: string; word: string }[] }>('dockerfile/expand.json')
    .cases)
    add([rule], `words: ${word}`);
  for (const [name, ids] of Object.entries(recorded.differential)) add(ids, `differential: ${name}`);
  for (const [name, ids] of Object.entries(recorded.grammar)) add(ids, `grammar: ${name}`);
  add(recorded.context, 'context: ignore-cases');
  for (const [file, titles] of Object.entries(recorded.suites))
    for (const [title, ids] of Object.entries(titles)) add(ids, `${file}: ${title}`);
  return { casesOf, unknown: [...unknown].sort() };
}

export function readJson<Result>(path: string): Result {
  return JSON.parse(readFileSync(join(DATA, path), 'utf8')) as Result;
}
