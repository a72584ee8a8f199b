import type { SourcePosition, SourceRange } from '../src/errors/index.ts';
import type { InstructionBase, TextSegment } from './ast.ts';

/**
 * The place in the file of `instruction.text.slice(start, end)`, for errors inside it. For a word add its `offset`.
 * Indexes outside the text are taken as its ends.
 */
export function rangeInText(
  instruction: Pick<InstructionBase, 'text' | 'textMap' | 'keywordRange'>,
  start: number,
  end: number,
): SourceRange {
  const { text, textMap } = instruction;
  if (textMap.length === 0) return { start: instruction.keywordRange.end, end: instruction.keywordRange.end };
  const first = Math.max(0, Math.min(start, text.length));
  const last = Math.max(first, Math.min(end, text.length));
  if (first === last) {
    const at = first === text.length && first > 0 ? behind(textMap, first) : position(textMap, first);
    return { start: at, end: at };
  }
  return { start: position(textMap, first), end: behind(textMap, last) };
}

/** Where the character at `index - 1` ends: a range does not run on over a continuation. */
function behind(map: TextSegment[], index: number): SourcePosition {
  const { offset, line, column } = position(map, index - 1);
  return { offset: offset + 1, line, column: column + 1 };
}

function position(map: TextSegment[], index: number): SourcePosition {
  let low = 0;
  let high = map.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (map[middle]!.offset <= index) low = middle;
    else high = middle - 1;
  }
  const segment = map[low]!;
  const distance = index - segment.offset;
  const { offset, line, column } = segment.position;
  return { offset: offset + distance, line, column: column + distance };
}
