import type { IToken } from 'chevrotain';
import type { SourceRange } from '../src/errors/index.ts';
import type { Flag, Heredoc, TextSegment, Word } from './ast.ts';
import { jsonString } from './json-form.ts';
import { LineIndex } from './line-index.ts';
import { offsetAt, offsetBehind, type Span } from './logical-line.ts';
import type { BodySlice, FlagSlice, KeywordSlice, LineSlice } from './scanner.ts';

/** Makes nodes with their places from tokens of one file. */
export class Places {
  readonly #lines: LineIndex;
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
    this.#lines = new LineIndex(source);
  }

  /** The range of a source span. */
  span({ start, end }: Span): SourceRange {
    return this.#lines.range(start, end);
  }

  /** The range of a piece of a logical line. */
  slice({ line, start, end }: LineSlice): SourceRange {
    if (start >= end) {
      const at = offsetBehind(line, start);
      return this.#lines.range(at, at);
    }
    return this.#lines.range(offsetAt(line, start), offsetBehind(line, end));
  }

  /** The range of a token of an instruction. */
  token(token: IToken): SourceRange {
    return this.slice(sliceOf(token));
  }

  /** A word as written, of the instruction that `keyword` begins. */
  word(slice: LineSlice, keyword: KeywordSlice): Word {
    const text = slice.line.text.slice(slice.start, slice.end);
    return { text, range: this.slice(slice), offset: slice.start - keyword.rest };
  }

  /** The string of a JSON literal as a word. */
  jsonWord(token: IToken, keyword: KeywordSlice): Word {
    const word = this.word(sliceOf(token), keyword);
    return { ...word, text: jsonString(word.text) };
  }

  flag(token: IToken): Flag {
    const slice = token.payload as FlagSlice;
    const equals = slice.text.indexOf('=');
    const flag: Flag = {
      name: equals === -1 ? slice.text.slice(2) : slice.text.slice(2, equals),
      value: equals === -1 ? undefined : slice.text.slice(equals + 1),
      range: this.slice(slice),
    };
    if (equals !== -1) flag.valueRange = this.slice({ ...slice, start: slice.valueStart });
    return flag;
  }

  heredoc({ opener, body }: BodySlice, keyword: KeywordSlice): Heredoc {
    const offset = Math.max(0, opener.start - keyword.rest);
    return {
      name: opener.name,
      ...(opener.fd !== undefined && { fd: opener.fd }),
      stripTabs: opener.stripTabs,
      quoted: opener.quoted,
      content: this.#source.slice(body.start, body.contentEnd),
      contentRange: this.#lines.range(body.start, body.contentEnd),
      openerRange: this.slice({ line: keyword.line, start: opener.start, end: opener.end }),
      opener: { offset, length: opener.end - keyword.rest - offset },
    };
  }

  /** The source map of the text behind the flags. */
  textMap({ line, rest }: KeywordSlice): TextSegment[] {
    const map: TextSegment[] = [];
    for (let at = 0; at < line.pieces.length; at++) {
      const { index, offset } = line.pieces[at]!;
      const next = line.pieces[at + 1]?.index ?? line.text.length;
      if (next <= rest || index >= line.text.length) continue;
      const skipped = Math.max(0, rest - index);
      map.push({ offset: index + skipped - rest, position: this.#lines.position(offset + skipped) });
    }
    return map;
  }
}

/** The slice of a token of an instruction. */
export function sliceOf(token: IToken): LineSlice {
  return token.payload as LineSlice;
}
