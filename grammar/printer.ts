import type { Comment, Dockerfile, EscapeCharacter, Heredoc, Instruction } from './ast.ts';
import { isSpace, trimmedEnd } from './characters.ts';
import { scanDirectives } from './directives.ts';

/** Longer lines are broken, well below Docker's limit of 65535 bytes: a UTF-16 unit makes at most three. */
const maxUnits = 20_000;

/**
 * The text of a tree in a normal form: one line per instruction, no blank lines but one behind the head, line feeds
 * alone. Reading it again gives the same tree but for ranges. Comments and blank lines from inside an instruction
 * stay inside it.
 */
export function print(dockerfile: Dockerfile): string {
  const { comments, directives, instructions, escape: escapeCharacter } = dockerfile;
  let next = 0;
  const lines: string[] = [];
  // Files can have more lines than a call can have arguments.
  const add = (more: string[]): void => {
    for (const line of more) lines.push(line);
  };
  const commentsBefore = (offset: number): Comment[] => {
    const first = next;
    while (next < comments.length && comments[next]!.range.start.offset < offset) next++;
    return comments.slice(first, next);
  };
  for (const directive of directives) {
    // Only a `#!` line can stand before a directive.
    add(commentsBefore(directive.range.start.offset).map(({ text }) => `#${text}`));
    lines.push(`# ${directive.name}=${directive.value}`);
  }
  if (next > 0 || directives.length > 0 || looksLikeHead(comments[0])) lines.push('');
  for (const [index, instruction] of instructions.entries()) {
    const { start, end } = instruction.range;
    const before = commentsBefore(start.offset);
    const own = outsideCount(before, instruction.comments);
    add(before.slice(0, own).map(commentLine));
    const inner = [...before.slice(own), ...commentsBefore(end.offset)].map(commentLine);
    for (const _ of instruction.emptyContinuations) inner.push('');
    const last = index === instructions.length - 1;
    add(instructionLines(instruction, inner, { escapeCharacter, last }));
    add(bodies(instruction.heredocs));
  }
  add(commentsBefore(Number.POSITIVE_INFINITY).map(commentLine));
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * How many of the comments before a keyword stand outside its instruction: a continuation may come before the keyword,
 * and comments behind that do not belong to the block of comments above.
 */
function outsideCount(before: readonly Comment[], block: readonly Comment[]): number {
  const last = block.at(-1)?.range.start.offset;
  return (
    before.findLastIndex(({ text, range }) =>
      last === undefined ? text === '' : range.start.offset === last,
    ) + 1
  );
}

function commentLine({ text }: Comment): string {
  return text === '' ? '#' : `# ${text}`;
}

/** Whether a comment would be read as a directive, or as a `#!` line, at the head of a file. */
function looksLikeHead(comment: Comment | undefined): boolean {
  return comment !== undefined && scanDirectives(`${commentLine(comment)}\n`).directives.length > 0;
}

function bodies(heredocs: readonly Heredoc[]): string[] {
  return heredocs.map(({ content, name }) => content + name);
}

interface Style {
  escapeCharacter: EscapeCharacter;
  /** Nothing but comments follows. */
  last: boolean;
}

function instructionLines(
  instruction: Instruction,
  inner: string[],
  { escapeCharacter, last }: Style,
): string[] {
  const lines: string[] = [];
  let rest = instruction.original + storedTail(instruction);
  if (inner.length > 0) {
    // A keyword's letters may be parted anywhere, and what follows cannot look like a comment or a blank line.
    const at = breakBefore(instruction, rest, escapeCharacter);
    lines.push(rest.slice(0, at) + escapeCharacter);
    for (const line of inner) lines.push(line);
    rest = rest.slice(at);
  }
  while (rest.length > maxUnits) {
    const at = breakPoint(rest, escapeCharacter);
    if (at === undefined) break;
    lines.push(rest.slice(0, at) + escapeCharacter);
    rest = rest.slice(at);
  }
  // A text can end in what would continue the line only where the file ended with it.
  if (last && continues(rest, escapeCharacter)) rest += ` ${escapeCharacter}`;
  lines.push(rest);
  return lines;
}

/** ONBUILD stores white space at the end of its line; elsewhere it means nothing. */
function storedTail(instruction: Instruction): string {
  if (instruction.keyword !== 'ONBUILD') return '';
  const newline = instruction.trigger.indexOf('\n');
  const line = newline === -1 ? instruction.trigger : instruction.trigger.slice(0, newline);
  return line.slice(trimmedEnd(line, 0));
}

/** Where inner lines go: before the text, if that can stand at the head of a line, else behind the first letter. */
function breakBefore(instruction: Instruction, line: string, escapeCharacter: EscapeCharacter): number {
  const at = line.length - instruction.text.length - storedTail(instruction).length;
  return instruction.text !== '' && canBreak(line, at, escapeCharacter) ? at : 1;
}

/** The last place to break a long line, at a blank if there is one in reach. */
function breakPoint(line: string, escapeCharacter: EscapeCharacter): number | undefined {
  let fallback: number | undefined;
  for (let at = maxUnits; at > maxUnits - 1000; at--) {
    if (!canBreak(line, at, escapeCharacter)) continue;
    if (line[at - 1] === ' ') return at;
    fallback ??= at;
  }
  for (let at = maxUnits - 1000; fallback === undefined && at > 0; at--) {
    if (canBreak(line, at, escapeCharacter)) fallback = at;
  }
  return fallback;
}

/** Whether a continuation may stand before `at`: no escape before it, no blank or `#` after it, no pair cut in two. */
function canBreak(line: string, at: number, escapeCharacter: EscapeCharacter): boolean {
  const before = line.charCodeAt(at - 1);
  if (at <= 0 || at >= line.length || line[at - 1] === escapeCharacter || (before & 0xfc00) === 0xd800)
    return false;
  return line[at] !== '#' && line[at] !== escapeCharacter && !isSpace(line.charCodeAt(at));
}

function continues(line: string, escapeCharacter: EscapeCharacter): boolean {
  const end = line.trimEnd().length - 1;
  return line[end] === escapeCharacter && line[end - 1] !== escapeCharacter;
}
