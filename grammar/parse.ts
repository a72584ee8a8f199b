import type { Dockerfile, Instruction, ParseError } from './ast.ts';
import { buildDockerfile } from './ast-builder.ts';
import { type Tokens, tokenize } from './lexer.ts';
import { LineIndex } from './line-index.ts';
import { keywordTokens, UnknownKeyword } from './tokens.ts';

/** What became of a text: the tree of all that could be read, and the errors (about the first thousand) in the order of the file. */
export interface ParseResult {
  dockerfile: Dockerfile;
  errors: ParseError[];
}

/** Docker's limit of one physical line without its line feed, in bytes of UTF-8. */
const maxLineBytes = 65535;

/**
 * Reads a Dockerfile. Never throws for any input: what is wrong comes back as data. A byte-order mark may still be at
 * the head of the text.
 */
export function parse(text: string): ParseResult {
  const tokens = tokenize(text);
  const { dockerfile, errors } = buildDockerfile(text, tokens);
  const lines = new LineIndex(text);
  for (const error of longLines(text, lines)) errors.push(error);
  const whole = wholeFile(text, tokens.instructions, lines);
  // A file with other errors may well lack its FROM because of them.
  if (whole !== undefined && (whole.code !== 'NO_STAGES' || errors.length === 0)) errors.push(whole);
  errors.sort(
    (a, b) => a.range.start.offset - b.range.start.offset || a.range.end.offset - b.range.end.offset,
  );
  return { dockerfile, errors };
}

/**
 * Reads the trigger of an ONBUILD instruction, as an image stores it: one instruction, with `\` as escape. Ranges are
 * those of `trigger`.
 */
export function parseTrigger(trigger: string): { instruction?: Instruction; errors: ParseError[] } {
  const { dockerfile, errors } = parse(trigger);
  const own = errors.filter(({ code }) => code !== 'NO_BUILD_STAGE' && code !== 'NO_STAGES');
  const [instruction, second] = dockerfile.instructions;
  if (second !== undefined) {
    const { range } = second;
    const message = 'onbuild trigger should be a single expression';
    own.push({ message, code: 'SYNTAX', range, line: range.start.line });
  }
  return { ...(instruction !== undefined && own.length === 0 && { instruction }), errors: own };
}

function longLines(text: string, lines: LineIndex): ParseError[] {
  const errors: ParseError[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    // A UTF-16 unit makes at most three bytes.
    if ((end - start) * 3 > maxLineBytes && Buffer.byteLength(text.slice(start, end)) > maxLineBytes) {
      const range = lines.range(start, end);
      const message = `dockerfile line greater than max allowed size of ${maxLineBytes}`;
      errors.push({
        message,
        code: 'LINE_TOO_LONG',
        range,
        line: range.start.line,
        hint: 'Break it with a continuation.',
      });
    }
    start = end + 1;
  }
  return errors;
}

/** Errors of a file as a whole: nothing in it, no stage, something before the first stage. */
function wholeFile(
  text: string,
  instructions: Tokens['instructions'],
  lines: LineIndex,
): ParseError | undefined {
  const start = { range: lines.range(0, 0), line: 1 };
  if (text === '') return { ...start, message: 'the Dockerfile cannot be empty', code: 'EMPTY_FILE' };
  if (instructions.length === 0)
    return { ...start, message: 'file with no instructions', code: 'NO_INSTRUCTIONS' };
  for (const tokens of instructions) {
    const token = tokens[0]!;
    if (token.tokenType === keywordTokens.FROM) return undefined;
    if (token.tokenType === keywordTokens.ARG || token.tokenType === UnknownKeyword) continue;
    const range = lines.range(token.startOffset, token.startOffset + token.image.length);
    const hint = 'Only ARG may stand before the first FROM.';
    const message = 'no build stage in current context';
    return { range, line: range.start.line, message, code: 'NO_BUILD_STAGE', hint };
  }
  const hint = 'A Dockerfile needs at least one FROM.';
  return { ...start, message: 'dockerfile contains no stages to build', code: 'NO_STAGES', hint };
}
