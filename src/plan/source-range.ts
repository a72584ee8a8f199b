import { subjectRange } from '../dockerfile/subject-range.ts';
import type { SourceRange } from '../errors/index.ts';
import type { SourceText } from './fail.ts';
import type { Command } from './link.ts';

/** Where the source of a command is named (`command.sources[index]`): `--from`, or the mount. Of triggers, the FROM. */
export function rangeOfSource(command: Command, index: number, { text }: SourceText): SourceRange {
  const { instruction, isTrigger, range } = command;
  if (isTrigger) return range;
  const subject =
    instruction.keyword === 'RUN'
      ? ({ part: 'flag', name: 'mount', index } as const)
      : ({ part: 'flag', name: 'from' } as const);
  return subjectRange(instruction, subject, text) ?? range;
}
