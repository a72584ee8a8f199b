import type { Flag, Instruction } from '../../grammar/ast.ts';
import type { SourceRange } from '../errors/index.ts';
import type { ErrorSubject } from '../errors/subject.ts';

/**
 * Where the part of an instruction stands that an error is about; undefined where the instruction has no such part.
 * `text` is the whole file.
 */
export function subjectRange(
  instruction: Instruction,
  subject: ErrorSubject,
  text: string,
): SourceRange | undefined {
  switch (subject.part) {
    case 'flag': {
      const flags = instruction.flags.filter(({ name }) => name === subject.name);
      const flag = flags[subject.index ?? 0];
      return flag && fieldRange(flag, subject.field, text);
    }
    case 'word':
      return wordsOf(instruction)[subject.index]?.range;
    case 'argument':
      return argumentOf(instruction);
    case 'user':
      return undefined;
  }
}

/** One field of a flag's value where it stands there as it is, else the flag. */
function fieldRange(flag: Flag, field: string | undefined, text: string): SourceRange {
  const { range, valueRange } = flag;
  if (field === undefined || field === '' || valueRange === undefined) return range;
  const written = text.slice(valueRange.start.offset, valueRange.end.offset);
  const at = written.indexOf(field);
  if (at === -1 || written.includes('\n') || written.indexOf(field, at + 1) !== -1) return range;
  const { offset, line, column } = valueRange.start;
  return {
    start: { offset: offset + at, line, column: column + at },
    end: { offset: offset + at + field.length, line, column: column + at + field.length },
  };
}

function wordsOf(instruction: Instruction): { range: SourceRange }[] {
  switch (instruction.keyword) {
    case 'COPY':
    case 'ADD':
      return instruction.sources.filter(({ heredoc }) => heredoc === undefined);
    case 'VOLUME':
      return instruction.words;
    default:
      return [];
  }
}

function argumentOf(instruction: Instruction): SourceRange | undefined {
  switch (instruction.keyword) {
    case 'COPY':
    case 'ADD':
      return instruction.destination.range;
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
      return instruction.value.range;
    case 'RUN':
      return instruction.form === 'exec' ? instruction.argRanges[0] : undefined;
    default:
      return undefined;
  }
}
