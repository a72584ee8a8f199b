import type { Dockerfile, FromInstruction, Instruction, PairsInstruction } from '../../grammar/ast.ts';
import type { CheckReport } from '../dockerfile/checks-report.ts';
import { expandWord } from '../dockerfile/expand.ts';
import { goQuote } from '../dockerfile/go-text.ts';
import { automaticArgs, type EnvList } from '../dockerfile/scope.ts';
import { didYouMean, suggest } from '../dockerfile/suggest.ts';
import { flagValue } from '../dockerfile/validate.ts';
import type { SourceRange } from '../errors/index.ts';
import { parsePlatform } from '../image/platform.ts';
import { isReference, parseReference } from '../image/reference.ts';
import { isLocalPlace } from '../image/transport.ts';
import type { Platform } from '../image/types.ts';
import { errorAt, locating } from './fail.ts';
import type { PlanOptions } from './options.ts';

/** A stage as the file has it, with its FROM line evaluated. */
export interface Stage {
  /** Position in the file. */
  index: number;
  from: FromInstruction;
  /** Lower-cased. */
  name: string | undefined;
  /** Name, or `stage-N`. */
  displayName: string;
  /** What FROM names, expanded. */
  baseName: string;
  /** `FROM --platform`. */
  platform: Platform | undefined;
  instructions: Instruction[];
}

export interface FileStages {
  stages: Stage[];
  /** Global ARGs and the automatic ones, with their values. */
  globals: EnvList;
  /** Global ARG lines as they stand. */
  globalLines: string[];
  /** Names of all global ARGs. */
  globalNames: ReadonlySet<string>;
}

/**
 * Splits a file into stages and evaluates global ARGs and FROM lines of all of them, needed or not.
 *
 * @throws SlipwayError with Docker's texts.
 */
export function readStages(dockerfile: Dockerfile, options: PlanOptions, report: CheckReport): FileStages {
  const { instructions } = dockerfile;
  const froms = instructions.flatMap((instruction, index) => (instruction.keyword === 'FROM' ? [index] : []));
  if (froms.length === 0) {
    throw errorAt(options, dockerfile.range, {
      kind: 'invalid',
      message: 'dockerfile contains no stages to build',
      code: 'NO_STAGES',
      hint: 'Begin with a FROM line.',
    });
  }
  const last = instructions[froms.at(-1)!] as FromInstruction;
  const automatic = automaticArgs({
    platform: options.platform,
    buildPlatform: options.buildPlatform,
    targetStage: options.targets?.at(-1) ?? options.target ?? last.alias?.text.toLowerCase() ?? '',
    buildArgs: options.buildArgs,
  });
  const globalArgs = instructions
    .slice(0, froms[0]!)
    .filter((instruction): instruction is PairsInstruction => instruction.keyword === 'ARG');
  const evaluator = { dockerfile, options, report };
  const globals = evaluateGlobals(evaluator, globalArgs, { from: automatic, buildArgs: options.buildArgs });
  checkDefaults(evaluator, globalArgs, automatic);
  const globalNames = new Set(globalArgs.flatMap((arg) => arg.pairs.map((pair) => pair.key.text)));
  const stages = froms.map((position, index) => {
    const from = instructions[position] as FromInstruction;
    const name = from.alias?.text.toLowerCase();
    return {
      index,
      from,
      name,
      displayName: name ?? `stage-${index}`,
      ...evaluateFrom(evaluator, from, { globals, globalNames }),
      instructions: instructions.slice(position + 1, froms[index + 1]),
    };
  });
  return { stages, globals, globalNames, globalLines: globalArgs.map(({ original }) => original) };
}

interface Evaluator {
  dockerfile: Dockerfile;
  options: PlanOptions;
  report: CheckReport;
}

function evaluateGlobals(
  { dockerfile, options }: Evaluator,
  args: readonly PairsInstruction[],
  values: { from: EnvList; buildArgs: ReadonlyMap<string, string> },
): EnvList {
  const globals = values.from.clone();
  for (const arg of args) {
    for (const { key, value } of arg.pairs) {
      const given =
        values.buildArgs.get(key.text) ??
        (value === undefined
          ? undefined
          : locating(
              options,
              value,
              () => expandWord(value.text, (name) => globals.get(name), dockerfile).value,
            ));
      if (given !== undefined) globals.set(key.text, given);
    }
  }
  return globals;
}

/** InvalidDefaultArgInFrom: would FROM name an image if no build argument were given? */
function checkDefaults(evaluator: Evaluator, args: readonly PairsInstruction[], automatic: EnvList): void {
  const { dockerfile, report } = evaluator;
  try {
    const globals = evaluateGlobals(evaluator, args, { from: automatic, buildArgs: new Map() });
    for (const from of dockerfile.instructions) {
      if (from.keyword !== 'FROM') continue;
      const { value } = expandWord(from.image.text, (name) => globals.get(name), dockerfile);
      if (!isReference(value) && !isLocalPlace(value))
        report.add('InvalidDefaultArgInFrom', from, from.image.text);
    }
  } catch {
    // The same fault is reported where the values count.
  }
}

function evaluateFrom(
  { dockerfile, options, report }: Evaluator,
  from: FromInstruction,
  { globals, globalNames }: { globals: EnvList; globalNames: ReadonlySet<string> },
): Pick<Stage, 'baseName' | 'platform'> {
  const expand = (text: string, range: SourceRange) =>
    locating(options, { range }, () => expandWord(text, (name) => globals.get(name), dockerfile));
  const known = new Set([...globalNames, ...globals.keys()]);
  const reportUndeclared = (names: readonly string[]) => {
    for (const name of names) {
      if (!known.has(name)) report.add('UndefinedArgInFrom', from, name, suggest(name, known));
    }
  };

  const image = expand(from.image.text, from.image.range);
  reportUndeclared(image.undefinedNames);
  if (
    image.value !== '' &&
    image.undefinedNames.length > 0 &&
    !isReference(image.value) &&
    !isLocalPlace(image.value)
  ) {
    locating(
      options,
      {
        range: from.image.range,
        prefix: `failed to parse stage name ${goQuote(image.value)}: `,
        hint: hintFor(image.undefinedNames, known),
      },
      () => parseReference(image.value),
    );
  }
  if (image.value === '') {
    throw errorAt(options, from.image.range, {
      kind: 'invalid',
      message: `base name (${from.image.text}) should not be blank`,
      code: 'BASE_NAME_BLANK',
      hint: hintFor(image.undefinedNames, known),
    });
  }

  const expression = flagValue(from.flags, 'platform');
  if (expression === undefined || expression === '') return { baseName: image.value, platform: undefined };
  const range = from.flags.find((flag) => flag.name === 'platform')!.range;
  const platform = expand(expression, range);
  reportUndeclared(platform.undefinedNames);
  const [onlyName] = platform.usedNames;
  if (
    platform.usedNames.length === 1 &&
    platform.undefinedNames.length === 0 &&
    onlyName === 'TARGETPLATFORM' &&
    platform.value === globals.get('TARGETPLATFORM')
  ) {
    report.add('RedundantTargetPlatform', from, expression);
  }
  const near = platform.undefinedNames.map((name) => suggest(name, globals.keys())).find(Boolean);
  if (platform.value === '') {
    throw errorAt(options, range, {
      kind: 'invalid',
      message: `empty platform value from expression ${expression}${didYouMean(near)}`,
      code: 'PLATFORM_EMPTY',
      hint: hintFor(platform.undefinedNames, known),
    });
  }
  const parsed = locating(options, { range, prefix: `failed to parse platform ${expression}: ` }, () =>
    parsePlatform(platform.value, options.buildPlatform),
  );
  if (platform.usedNames.length === 0 && platform.undefinedNames.length === 0) {
    const name = from.alias?.text.toLowerCase() ?? '';
    if (!name.includes(parsed.os) && !name.includes(parsed.architecture)) {
      report.add('FromPlatformFlagConstDisallowed', from, platform.value);
    }
  }
  return { baseName: image.value, platform: parsed };
}

function hintFor(undefinedNames: readonly string[], known: ReadonlySet<string>): string | undefined {
  const [name] = undefinedNames;
  if (name === undefined) return undefined;
  const near = suggest(name, known);
  return near === undefined
    ? `FROM sees only ARGs that stand before the first FROM: put ARG ${name} there, with a default.`
    : `Did you mean $${near}?`;
}
