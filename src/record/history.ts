import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { decodeListing } from '../layer/listing.ts';
import type { LayerEntry } from '../layer/types.ts';
import { type ProcessIdentity, processState } from '../sys/process-identity.ts';
import { type BuildRecord, RECORD_FORMAT, type RecordedStep } from './build-record.ts';
import {
  type BuildFolderName,
  buildsPath,
  JOURNAL_FILE,
  listingName,
  logName,
  parseBuildFolder,
  RECORD_FILE,
} from './layout.ts';
import { type LogChunk, readLog } from './log-file.ts';

interface Entry extends BuildFolderName {
  folder: string;
}

/** A step together with the build that it ran in. */
export interface StepRun {
  build: BuildRecord;
  step: RecordedStep;
}

/**
 * The builds of a store as they are now, the newest first. Records are read when they are asked for, and once. What
 * cannot be read (it was removed meanwhile, or has another format) counts as absent.
 */
export class BuildHistory {
  readonly #entries: Entry[];
  readonly #records = new Map<string, BuildRecord | undefined>();

  constructor(root: string) {
    this.#entries = folders(buildsPath(root));
  }

  /** Ids of the builds that are listed, the newest first. */
  ids(): string[] {
    return this.#entries.filter(({ kept }) => !kept).map(({ id }) => id);
  }

  /** All listed builds that can be read, the newest first. */
  all(): BuildRecord[] {
    return this.ids().flatMap((id) => this.get(id) ?? []);
  }

  /** A build by its whole id, also one that is no longer listed. */
  get(id: string): BuildRecord | undefined {
    if (!this.#records.has(id)) {
      const entry = this.#entries.find((one) => one.id === id);
      this.#records.set(id, entry && readRecord(entry.folder));
    }
    return this.#records.get(id);
  }

  /**
   * A build as people name it: the beginning of its id, `^1` for the one before the last, nothing for the last.
   *
   * @throws SlipwayError `BUILD_NOT_FOUND`, `BUILD_AMBIGUOUS`
   */
  find(text: string | undefined): BuildRecord {
    const found = this.#named(text ?? '^0');
    const record = found === undefined ? undefined : this.get(found);
    if (record) return record;
    throw new SlipwayError(
      'not-found',
      text === undefined ? 'there is no build yet' : `no such build: ${text}`,
      {
        code: 'BUILD_NOT_FOUND',
        hint: 'slipway builds ls shows those that are kept.',
      },
    );
  }

  /** The folder with a build's files. */
  folder(id: string): string | undefined {
    return this.#entries.find((one) => one.id === id)?.folder;
  }

  /** The run whose result a step has: its own, or that of the build that it was cached from; undefined if that is gone. */
  runOf(build: BuildRecord, step: RecordedStep): StepRun | undefined {
    if (step.same !== undefined) {
      const same = build.steps.find(({ id }) => id === step.same);
      return same && same.same === undefined ? this.runOf(build, same) : undefined;
    }
    if (step.from === undefined) return step.outcome === undefined ? undefined : { build, step };
    const origin = this.get(step.from);
    const made = origin?.steps.find(({ key, from }) => key === step.key && from === undefined);
    return made && { build: origin!, step: made };
  }

  /** The output of a step, of whatever run it is; undefined when that run's record is gone. */
  log(build: BuildRecord, step: RecordedStep): LogChunk[] | undefined {
    const run = this.runOf(build, step);
    const folder = run && this.folder(run.build.id);
    if (folder === undefined) return step.outcome === undefined ? [] : undefined;
    return readLog(join(folder, logName(run!.build.steps.indexOf(run!.step))));
  }

  /** What the run of a step selected for a part of its key; undefined where that is not known. */
  listing({ build, step }: StepRun, selection: string): LayerEntry[] | undefined {
    const folder = this.folder(build.id);
    if (folder === undefined || !step.listings?.includes(selection)) return undefined;
    try {
      const bytes = readFileSync(join(folder, listingName(build.steps.indexOf(step), selection)));
      return decodeListing(zstdDecompressSync(bytes));
    } catch {
      return undefined;
    }
  }

  #named(text: string): string | undefined {
    const ids = this.ids();
    const back = /^\^(\d+)?$/.exec(text);
    if (back) return ids[Number(back[1] ?? 1)];
    const found = ids.filter((id) => text !== '' && id.startsWith(text.toLowerCase()));
    if (found.length < 2) return found[0];
    throw new SlipwayError('invalid', `several builds begin with ${text}`, {
      code: 'BUILD_AMBIGUOUS',
      hint: `They are ${found.join(', ')}.`,
    });
  }
}

function folders(path: string): Entry[] {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return names
    .sort()
    .reverse()
    .flatMap((name) => {
      const parsed = parseBuildFolder(name);
      return parsed ? [{ ...parsed, folder: join(path, name) }] : [];
    });
}

function readRecord(folder: string): BuildRecord | undefined {
  try {
    const record = readEnded(folder) ?? readJournal(folder);
    return record?.format === RECORD_FORMAT ? record : undefined;
  } catch {
    return undefined;
  }
}

function readEnded(folder: string): BuildRecord | undefined {
  const text = readIfThere(join(folder, RECORD_FILE));
  return text === undefined ? undefined : (JSON.parse(text) as BuildRecord);
}

/** A build that has not written its record: one that is still at work, or whose process was killed. */
function readJournal(folder: string): BuildRecord | undefined {
  const text = readIfThere(join(folder, JOURNAL_FILE));
  // It may just have ended.
  if (text === undefined) return readEnded(folder);
  const [first, ...lines] = text.split('\n');
  const { record, process } = JSON.parse(first!) as { record: BuildRecord; process?: ProcessIdentity };
  const steps = new Map(record.steps.map((step) => [step.id, step]));
  // The last piece is empty, or a line that was being written.
  for (const line of lines.slice(0, -1)) {
    const step = JSON.parse(line) as RecordedStep;
    Object.assign(steps.get(step.id)!, step);
  }
  const alive = process !== undefined && processState(process) !== 'dead';
  return { ...record, state: alive ? 'running' : 'interrupted' };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
