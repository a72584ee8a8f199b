import type { EscapeCharacter, Keyword } from './ast.ts';
import { isBlank, isSpace, skipSpaces } from './characters.ts';
import type { DirectiveScan, ScannedDirective } from './directives.ts';
import { findOpeners, type HeredocBody, type Opener, readBody, readOpener } from './heredoc-words.ts';
import { isJsonForm, jsonStringEnd, jsonValueEnd } from './json-form.ts';
import { type LogicalLine, offsetAt, offsetBehind, physicalLine, readLogicalLine } from './logical-line.ts';
import { type PairWord, plainWordEnd, readFlagWord, readPairWord } from './words.ts';

/** What a token knows beside its image: where it lies in its logical line. */
export interface LineSlice {
  line: LogicalLine;
  start: number;
  end: number;
}

/** A keyword's slice, with what the lexer learns about its instruction. */
export interface KeywordSlice extends LineSlice {
  word: string;
  /** Where the text behind the flags begins. */
  rest: number;
  /** The openers whose bodies follow the line, and the bodies that were found. */
  openers: Opener[];
  bodies: BodySlice[];
}

export interface FlagSlice extends LineSlice {
  text: string;
  valueStart: number;
}

/** The body of a here-document; `opener` has the indexes of the logical line. */
export interface BodySlice {
  opener: Opener;
  body: HeredocBody;
}

/** A successful match: the source offset behind it, and the token's payload. */
export interface Match {
  end: number;
  payload?: KeywordSlice | FlagSlice | LineSlice | BodySlice | ScannedDirective;
}

const heredocKeywords: readonly string[] = ['RUN', 'COPY', 'ADD'] satisfies Keyword[];

/**
 * The lexer's memory for one file. Each method tries to match one kind of token at a source offset and, when it does,
 * moves on in the logical line. Tokens are matched in the joined line and mapped back to the source, so that a
 * continuation may stand anywhere, inside a word too.
 */
export class Scanner {
  readonly source: string;
  readonly escape: EscapeCharacter;
  readonly #directives: Map<number, ScannedDirective>;
  #line: LogicalLine | undefined;
  /** The next unread index of the logical line. */
  #index = 0;
  #keyword: KeywordSlice | undefined;
  #name = '';
  #flagsOpen = false;
  /** Arguments seen since the keyword. */
  #arguments = 0;
  #json = false;
  #pair: PairWord | undefined;
  #legacy = false;
  #openers: Opener[] | undefined;
  #nextOpener = 0;
  #pending: Opener[] = [];
  #nextBody = 0;
  #bodies: BodySlice[] = [];

  constructor(source: string, scan: DirectiveScan) {
    this.source = source;
    this.escape = scan.escape;
    this.#directives = new Map(scan.directives.map((directive) => [directive.start, directive]));
  }

  /** White space, continuations, and what lies inside them; between instructions also blank lines. */
  space(offset: number): Match | undefined {
    if (this.#line === undefined) {
      const end = skipSpaces(this.source, offset);
      if (end > offset) return { end };
      if (this.source[offset] === '#') return undefined;
      this.#begin(offset);
    }
    const line = this.#line!;
    const inPair = this.#pair !== undefined && this.#index < this.#pair.end;
    const target = inPair ? this.#index : skipSpaces(line.text, this.#index);
    if (target >= line.text.length) return undefined;
    const end = offsetAt(line, target);
    if (end <= offset) return undefined;
    this.#index = target;
    return { end };
  }

  byteOrderMark(offset: number): Match | undefined {
    return offset === 0 && this.source[0] === '\uFEFF' ? { end: 1 } : undefined;
  }

  directive(offset: number): Match | undefined {
    const directive = this.#line === undefined ? this.#directives.get(offset) : undefined;
    return directive && { end: directive.end, payload: directive };
  }

  comment(offset: number): Match | undefined {
    if (this.#line !== undefined || this.source[offset] !== '#') return undefined;
    return { end: physicalLine(this.source, offset).end };
  }

  /** The keyword `name`; undefined takes any word. */
  keyword(offset: number, name: Keyword | undefined): Match | undefined {
    const line = this.#line;
    if (line === undefined || (this.#keyword !== undefined && this.#name !== 'ONBUILD')) return undefined;
    const start = this.#index;
    let end = start;
    while (end < line.text.length && !isBlank(line.text.charCodeAt(end))) end++;
    if (start === end && this.#keyword !== undefined) return undefined;
    const word = line.text.slice(start, end);
    const upper = /^[a-z]{3,11}$/i.test(word) ? word.toUpperCase() : word;
    if (name !== undefined && upper !== name) return undefined;
    const slice: KeywordSlice = { line, start, end, word, rest: line.text.length, openers: [], bodies: [] };
    this.#noteRest();
    this.#keyword = slice;
    this.#name = upper;
    this.#index = end;
    this.#flagsOpen = true;
    this.#arguments = 0;
    // A line of continuations alone has an empty word, and its line end is the last line break.
    return {
      end: word === '' ? Math.max(offset + 1, line.next - 1) : offsetBehind(line, end),
      payload: slice,
    };
  }

  /** ONBUILD as the trigger of ONBUILD. */
  chainedOnbuild(offset: number): Match | undefined {
    return this.#keyword === undefined ? undefined : this.keyword(offset, 'ONBUILD');
  }

  flag(terminator: boolean): Match | undefined {
    const line = this.#line;
    if (line === undefined || !this.#flagsOpen || !line.text.startsWith('--', this.#index)) return undefined;
    const word = readFlagWord(line.text, this.#index, this.escape);
    if ((word.text === '--') !== terminator) return undefined;
    const payload: FlagSlice = { line, start: this.#index, ...word };
    this.#index = word.end;
    this.#flagsOpen = !terminator;
    return { end: offsetBehind(line, word.end), payload };
  }

  lineEnd(): Match | undefined {
    const line = this.#line;
    if (line === undefined || this.#keyword === undefined) return undefined;
    if (skipSpaces(line.text, this.#index) < line.text.length) return undefined;
    this.#pending = [];
    this.#nextBody = 0;
    if (heredocKeywords.includes(this.#name) && !this.#json) {
      this.#pending = this.#lineOpeners();
      this.#keyword.openers = this.#lineOpeners();
      this.#bodies = this.#keyword.bodies;
    }
    this.#line = this.#keyword = this.#pair = this.#openers = undefined;
    this.#flagsOpen = this.#json = this.#legacy = false;
    this.#nextOpener = 0;
    return { end: line.next };
  }

  heredocBody(offset: number): Match | undefined {
    const opener = this.#pending[this.#nextBody++];
    if (opener === undefined) return undefined;
    const body = readBody(this.source, offset, opener);
    const payload: BodySlice = { opener, body };
    this.#bodies.push(payload);
    return { end: body.next, payload };
  }

  /** `AS` of FROM: its second word. */
  as(): Match | undefined {
    if (this.#name !== 'FROM' || this.#arguments !== 1) return undefined;
    const end = this.#plainEnd();
    return end - this.#index === 2 && /^as$/i.test(this.#line!.text.slice(this.#index, end))
      ? this.#take(end)
      : undefined;
  }

  word(): Match | undefined {
    return this.#take(this.#plainEnd());
  }

  /** The last word of the line. */
  lastWord(): Match | undefined {
    const end = this.#plainEnd();
    return end === this.#line!.text.length ? this.#take(end) : undefined;
  }

  /** A word of COPY or ADD that opens a here-document. */
  openerWord(): Match | undefined {
    const end = this.#plainEnd();
    const word = this.#line!.text.slice(this.#index, end);
    return word.includes('<<') && readOpener(word) !== undefined ? this.#take(end) : undefined;
  }

  /** An opener in the command of RUN. */
  openerInCommand(): Match | undefined {
    if (this.#name !== 'RUN') return undefined;
    const openers = this.#lineOpeners();
    while (this.#nextOpener < openers.length && openers[this.#nextOpener]!.end <= this.#index)
      this.#nextOpener++;
    const opener = openers[this.#nextOpener];
    return opener !== undefined && opener.start <= this.#index ? this.#take(opener.end) : undefined;
  }

  /** The rest of the line, for RUN up to the next opener. */
  text(): Match | undefined {
    const line = this.#line!;
    const opener = this.#name === 'RUN' ? this.#lineOpeners()[this.#nextOpener] : undefined;
    return this.#take(opener?.start ?? line.text.length);
  }

  jsonOpen(): Match | undefined {
    const { text } = this.#line!;
    if (this.#arguments !== (this.#name === 'HEALTHCHECK' ? 1 : 0) || text[this.#index] !== '[')
      return undefined;
    if (!isJsonForm(text.slice(this.#index))) return undefined;
    this.#json = true;
    return this.#take(this.#index + 1);
  }

  jsonMark(mark: string): Match | undefined {
    return this.#line!.text[this.#index] === mark ? this.#take(this.#index + 1) : undefined;
  }

  jsonValue(string: boolean): Match | undefined {
    const { text } = this.#line!;
    if ((text[this.#index] === '"') !== string) return undefined;
    return this.#take(string ? jsonStringEnd(text, this.#index) : jsonValueEnd(text, this.#index));
  }

  legacyKey(): Match | undefined {
    if (this.#name === 'ARG' || this.#arguments > 0 || this.#currentPair().equals !== -1) return undefined;
    this.#legacy = true;
    this.#pair = undefined;
    return this.#take(this.#plainEnd());
  }

  legacyValue(): Match | undefined {
    return this.#legacy ? this.#take(this.#line!.text.length) : undefined;
  }

  pairKey(): Match | undefined {
    const pair = this.#currentPair();
    const end = pair.equals === -1 ? pair.end : pair.equals;
    return end > this.#index ? this.#take(end) : undefined;
  }

  /** The first `=` of a word, behind its name or, with `blank`, where no name is. */
  pairEquals(blank: boolean): Match | undefined {
    const { start, equals } = this.#currentPair();
    return equals === this.#index && (start === equals) === blank ? this.#take(this.#index + 1) : undefined;
  }

  pairValue(): Match | undefined {
    const pair = this.#pair;
    const inside =
      pair !== undefined && pair.equals !== -1 && this.#index > pair.equals && this.#index < pair.end;
    return inside ? this.#take(pair.end) : undefined;
  }

  /** The first word of HEALTHCHECK: the given one, or with undefined any. */
  healthType(name: string | undefined): Match | undefined {
    if (this.#arguments > 0) return undefined;
    const { text } = this.#line!;
    let end = this.#index;
    while (end < text.length && !isSpace(text.charCodeAt(end))) end++;
    if (name !== undefined && text.slice(this.#index, end).toUpperCase() !== name) return undefined;
    return this.#take(end);
  }

  #begin(offset: number): void {
    this.#line = readLogicalLine(this.source, offset, this.escape);
    this.#index = 0;
  }

  /** The text behind the flags begins with the first argument, or with the trigger's keyword. */
  #noteRest(): void {
    if (this.#keyword !== undefined && this.#arguments === 0) this.#keyword.rest = this.#index;
  }

  #take(end: number): Match {
    const line = this.#line!;
    this.#noteRest();
    this.#flagsOpen = false;
    this.#arguments++;
    const payload: LineSlice = { line, start: this.#index, end };
    this.#index = end;
    return { end: offsetBehind(line, end), payload };
  }

  #plainEnd(): number {
    const { text } = this.#line!;
    return plainWordEnd(text, this.#index, text.length);
  }

  #currentPair(): PairWord {
    if (this.#pair === undefined || this.#index >= this.#pair.end) {
      this.#pair = readPairWord(this.#line!.text, this.#index, this.escape);
    }
    return this.#pair;
  }

  #lineOpeners(): Opener[] {
    this.#openers ??= findOpeners(this.#line!.text);
    return this.#openers;
  }
}
