import type { CopyInstruction, PairsInstruction } from '../../grammar/ast.ts';
import { expandWord } from '../dockerfile/expand.ts';
import type { EnvList } from '../dockerfile/scope.ts';
import { flagValue } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import { errorAt, locating } from './fail.ts';
import type { PlanOptions, TimeSource } from './options.ts';
import { remoteSources } from './remote-sources.ts';
import type { FileStages, Stage } from './stages.ts';

const EPOCH = 'SOURCE_DATE_EPOCH';

/** A time that a build is to have, and whether it has to be asked for again the next time. */
export interface ResolvedEpoch {
  /** Seconds since 1970; undefined for none. */
  seconds: number | undefined;
  /** It is that of a context or of something fetched, which may change. */
  moving: boolean;
}

/**
 * SOURCE_DATE_EPOCH of the build arguments, else of a global ARG (SPEC 1.6): a number of seconds, or `context`, a named
 * context or a stage, whose time it then is. Such a stage is `FROM scratch` with ARGs and one ADD of something remote.
 *
 * @throws SlipwayError `SOURCE_DATE_EPOCH_INVALID`, and what `timeOf` throws.
 */
export async function resolveEpoch(
  file: FileStages,
  options: PlanOptions,
  escapeWith: '\\' | '`',
): Promise<ResolvedEpoch> {
  const text = options.buildArgs.get(EPOCH) ?? file.globals.get(EPOCH) ?? '';
  if (text === '') return { seconds: undefined, moving: false };
  if (/^[0-9]+$/.test(text)) return { seconds: numberOf(text, file, options), moving: false };
  const source = sourceOf(text, { file, options, escapeWith });
  return { seconds: await options.timeOf(source), moving: true };
}

function numberOf(text: string, file: FileStages, options: PlanOptions): number {
  const seconds = Number(text);
  if (Number.isSafeInteger(seconds)) return seconds;
  throw invalid(text, file, options);
}

interface Search {
  file: FileStages;
  options: PlanOptions;
  escapeWith: '\\' | '`';
}

function sourceOf(text: string, search: Search): TimeSource {
  const { file, options } = search;
  if (text === 'context') return { kind: 'context' };
  for (const name of [text, text.toLowerCase()]) {
    if (options.namedContexts.has(name)) return { kind: 'context', name };
  }
  const stage = file.stages.find(({ name }) => name === text.toLowerCase());
  if (stage === undefined) throw invalid(text, file, options);
  return locating(options, { range: stage.from.range }, () => sourceOfStage(stage, search));
}

function sourceOfStage(stage: Stage, { file, options, escapeWith }: Search): TimeSource {
  if (stage.baseName !== 'scratch') throw unsuitable(`${EPOCH} stage must use FROM scratch`);
  const env = file.globals.clone();
  env.set(EPOCH, '');
  let found: TimeSource | undefined;
  for (const instruction of stage.instructions) {
    if (instruction.keyword === 'ARG') declare(instruction, env, { options, escapeWith });
    else if (instruction.keyword !== 'ADD') {
      throw unsuitable(
        `${EPOCH} stage does not meet source-only requirements: unsupported ${instruction.keyword} instruction`,
      );
    } else if (found !== undefined) throw unsuitable(`${EPOCH} stage must contain exactly one remote ADD`);
    else found = sourceOfAdd(instruction, env, escapeWith);
  }
  if (found === undefined) throw unsuitable(`${EPOCH} stage must contain exactly one remote ADD`);
  return found;
}

function declare(
  { pairs }: PairsInstruction,
  env: EnvList,
  { options, escapeWith }: Pick<Search, 'options' | 'escapeWith'>,
): void {
  for (const { key, value } of pairs) {
    const given = options.buildArgs.get(key.text);
    if (given !== undefined) env.set(key.text, given);
    else if (value !== undefined) env.set(key.text, expanded(value.text, env, escapeWith));
  }
}

function sourceOfAdd(add: CopyInstruction, env: EnvList, escapeWith: '\\' | '`'): TimeSource {
  const [source] = add.sources;
  if (source === undefined || add.sources.length !== 1 || source.heredoc !== undefined) {
    throw unsuitable(`${EPOCH} stage must contain exactly one remote ADD source`);
  }
  const checksum = flagValue(add.flags, 'checksum');
  const [remote] = remoteSources(
    add,
    [expanded(source.text, env, escapeWith)],
    checksum === undefined ? undefined : expanded(checksum, env, escapeWith),
  );
  if (remote === undefined) throw unsuitable(`${EPOCH} stage source must be a single HTTP(S) or Git ADD`);
  return { kind: 'remote', source: remote };
}

function expanded(text: string, env: EnvList, escapeWith: '\\' | '`'): string {
  return expandWord(text, (name) => env.get(name), { escape: escapeWith }).value;
}

function unsuitable(message: string): SlipwayError {
  return new SlipwayError('invalid', message, {
    code: 'SOURCE_DATE_EPOCH_INVALID',
    hint: 'A stage that gives its time is FROM scratch, ARGs and one ADD of a URL or a git repository.',
  });
}

function invalid(text: string, file: FileStages, options: PlanOptions): SlipwayError {
  return errorAt(options, file.stages[0]!.from.range, {
    kind: 'invalid',
    message: `invalid SOURCE_DATE_EPOCH: ${text}`,
    code: 'SOURCE_DATE_EPOCH_INVALID',
    hint: 'Give seconds since 1970-01-01, as date +%s prints them, or "context", a named context or a stage whose time it is to be.',
  });
}
