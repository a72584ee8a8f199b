import type { Dockerfile, FromInstruction, Instruction } from '../../grammar/ast.ts';
import type { CheckReport } from './checks-report.ts';

const RESERVED_STAGE_NAMES = new Set(['context', 'scratch']);

/** The rules that need no more than the text: names, casing, old forms. */
export function checkFile(dockerfile: Dockerfile, report: CheckReport): void {
  for (const instruction of dockerfile.instructions) {
    for (const range of instruction.emptyContinuations) {
      report.add('NoEmptyContinuation', { range, comments: instruction.comments });
    }
    if (instruction.keyword === 'MAINTAINER') report.add('MaintainerDeprecated', instruction);
    if (instruction.keyword === 'FROM') checkFromWords(instruction, report);
    checkDescription(instruction, report);
  }
  checkStageNames(dockerfile, report);
  checkCasing(dockerfile, report);
}

function checkFromWords(from: FromInstruction, report: CheckReport): void {
  const alias = from.alias?.text;
  if (alias === undefined || from.as === undefined) return;
  if (alias !== alias.toLowerCase()) report.add('StageNameCasing', from, alias);
  const as = from.as.text;
  if (isLower(from.word) ? !isLower(as) : isUpper(from.word) && !isUpper(as)) {
    report.add('FromAsCasing', from, from.word, as);
  }
}

function checkStageNames(dockerfile: Dockerfile, report: CheckReport): void {
  const seen = new Set<string>();
  for (const instruction of dockerfile.instructions) {
    if (instruction.keyword !== 'FROM' || instruction.alias === undefined) continue;
    const name = instruction.alias.text.toLowerCase();
    if (RESERVED_STAGE_NAMES.has(name)) report.add('ReservedStageName', instruction, name);
    if (seen.has(name)) report.add('DuplicateStageName', instruction, name);
    seen.add(name);
  }
}

/** Global ARGs neither count nor are reported, as in Docker. */
function checkCasing(dockerfile: Dockerfile, report: CheckReport): void {
  const firstFrom = dockerfile.instructions.findIndex((instruction) => instruction.keyword === 'FROM');
  const counted = firstFrom === -1 ? [] : dockerfile.instructions.slice(firstFrom);
  let lower = 0;
  let upper = 0;
  for (const { word } of counted) {
    if (isLower(word)) lower++;
    else if (isUpper(word)) upper++;
  }
  const majority = lower > upper ? 'lowercase' : 'uppercase';
  for (const instruction of counted) {
    const fits = majority === 'lowercase' ? isLower(instruction.word) : isUpper(instruction.word);
    if (!fits) report.add('ConsistentInstructionCasing', instruction, instruction.word, majority);
  }
}

function checkDescription(instruction: Instruction, report: CheckReport): void {
  let names: string[] = [];
  if (instruction.keyword === 'FROM' && instruction.alias !== undefined) {
    names = [instruction.alias.text.toLowerCase()];
  } else if (instruction.keyword === 'ARG') {
    names = instruction.pairs.map((pair) => pair.key.text);
  }
  const last = instruction.comments.at(-1)?.text;
  if (names.length === 0 || last === undefined || names.includes(last.split(' ')[0]!)) return;
  const example = names.length > 1 ? '<arg_key>' : names[0]!;
  report.add('InvalidDefinitionDescription', instruction, instruction.keyword, example);
}

function isLower(word: string): boolean {
  return word === word.toLowerCase();
}

function isUpper(word: string): boolean {
  return word === word.toUpperCase();
}
