import type { Instruction } from '../../grammar/ast.ts';
import { parse } from '../../grammar/parse.ts';
import { subjectRange } from '../dockerfile/subject-range.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import type { ErrorSubject } from '../errors/subject.ts';
import { failedNode } from '../solve/failed-node.ts';

/**
 * The error of a step with its place in the Dockerfile: the part of the instruction that it is about, else the whole.
 * A kept plan has no places of parts, so the file is read again.
 */
export function placed(error: unknown, { file, text }: { file: string; text: string }): unknown {
  const whole = failedNode(error)?.range;
  if (!(error instanceof SlipwayError) || whole === undefined || error.location) return error;
  const { subject } = error;
  const range = (subject && partOf(text, whole, subject)) ?? whole;
  return new SlipwayError(error.kind, error.message, {
    ...error.details(),
    location: { file, text, range },
  });
}

function partOf(text: string, whole: SourceRange, subject: ErrorSubject): SourceRange | undefined {
  const { instructions } = parse(text).dockerfile;
  const at = instructions.findIndex(({ range }) => range.start.offset === whole.start.offset);
  const instruction = instructions[at];
  // A trigger of the base has the place of its FROM.
  if (instruction === undefined || instruction.keyword === 'FROM') return undefined;
  return subject.part === 'user' ? userOf(instructions, at) : subjectRange(instruction, subject, text);
}

/** The value of the USER that holds at an instruction: of its stage, or of the stages that this one is made from. */
function userOf(instructions: readonly Instruction[], at: number): SourceRange | undefined {
  for (let index = at - 1; index >= 0; index--) {
    const instruction = instructions[index]!;
    if (instruction.keyword === 'USER') return instruction.value.range;
    if (instruction.keyword !== 'FROM') continue;
    const base = instruction.image.text;
    const stage = instructions.findLastIndex(
      (one, before) => before < index && one.keyword === 'FROM' && one.alias?.text.toLowerCase() === base,
    );
    if (stage === -1) return undefined;
    // Goes on with the last instruction of that stage.
    index = instructions.findIndex((one, behind) => behind > stage && one.keyword === 'FROM');
  }
  return undefined;
}
