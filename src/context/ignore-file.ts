import { SlipwayError } from '../errors/index.ts';
import type { BytePath } from '../sys/bytes.ts';
import { textOf } from '../sys/bytes.ts';
import { cleanPath } from './clean-path.ts';
import type { EarlierRules } from './earlier-rules.ts';
import { trimSpace } from './go-text.ts';
import { compilePattern, type IgnorePattern } from './ignore-pattern.ts';
import { createIgnoreRules, type IgnoreRules } from './ignore-rules.ts';

/** A pattern with its place in the file. */
export interface IgnoreRule extends IgnorePattern {
  /** From 1. */
  line: number;
  /** The line, trimmed, for people. */
  written: string;
}

export interface ParsedIgnoreFile {
  rules: IgnoreRule[];
  matcher: IgnoreRules;
}

/**
 * Reads an ignore file (SPEC I3, I4): a BOM is dropped, a `#` in the first column makes a comment, the rest is
 * trimmed, `!` makes an exception, and paths are cleaned.
 *
 * @param name for messages
 * @param content the file's bytes
 * @param earlier rules that decide before those of the file
 * @throws SlipwayError `syntax` BAD_IGNORE_PATTERN with the line
 */
export function parseIgnoreFile(name: string, content: Buffer, earlier?: EarlierRules): ParsedIgnoreFile {
  const rules: IgnoreRule[] = [];
  const lines = content.toString('latin1').split('\n');
  lines.forEach((raw, index) => {
    const text = (index === 0 ? raw.replace(/^\xef\xbb\xbf/, '') : raw).replace(/\r$/, '');
    const pattern = readLine(text);
    if (pattern === undefined) return;
    const line = index + 1;
    const written = textOf(trimSpace(text));
    rules.push({ ...locate(name, content, line, () => compilePattern(pattern)), line, written });
  });
  return { rules, matcher: createIgnoreRules(rules, earlier) };
}

/**
 * Rules of `--exclude` flags: trimmed and cleaned, and unlike in an ignore file a leading `/` stays, so that such a
 * pattern matches nothing.
 *
 * @throws SlipwayError `syntax` BAD_IGNORE_PATTERN
 */
export function parseExcludes(patterns: readonly BytePath[]): IgnoreRules {
  const cleaned = patterns.map(trimSpace).filter((pattern) => pattern !== '');
  return createIgnoreRules(cleaned.map((pattern) => compilePattern(cleanPath(pattern))));
}

function readLine(line: BytePath): BytePath | undefined {
  if (line.startsWith('#')) return undefined;
  let pattern = trimSpace(line);
  if (pattern === '') return undefined;
  const exception = pattern.startsWith('!');
  if (exception) pattern = trimSpace(pattern.slice(1));
  if (pattern !== '') {
    pattern = cleanPath(pattern);
    if (pattern.length > 1 && pattern.startsWith('/')) pattern = pattern.slice(1);
  }
  // Cleaned once more with its mark: `!/` becomes a lone `!`.
  return cleanPath(trimSpace(exception ? `!${pattern}` : pattern));
}

function locate<T>(name: string, content: Buffer, line: number, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    throw atLine(error, { name, text: content.toString('utf8'), line });
  }
}

function atLine(error: SlipwayError, file: { name: string; text: string; line: number }): SlipwayError {
  const lines = file.text.split('\n');
  const offset = lines.slice(0, file.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
  const length = lines[file.line - 1]!.length;
  const start = { offset, line: file.line, column: 1 };
  const end = { offset: offset + length, line: file.line, column: length + 1 };
  return new SlipwayError(error.kind, `${file.name}:${file.line}: ${error.message}`, {
    code: error.code,
    hint: error.hint,
    location: { file: file.name, text: file.text, range: { start, end } },
  });
}
