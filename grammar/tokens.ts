import {
  type CustomPatternMatcherReturn,
  createToken,
  type IMultiModeLexerDefinition,
  type IToken,
  Lexer,
  type TokenType,
} from 'chevrotain';
import type { Keyword } from './ast.ts';
import { argumentModes, keywords } from './keywords.ts';
import type { Match, Scanner } from './scanner.ts';

/** The scanner of the file that is being read. Reading is synchronous, so there is never more than one. */
let scanner: Scanner;

/** Gives the token patterns the scanner of the next file. */
export function useScanner(next: Scanner): void {
  scanner = next;
}

interface Options {
  push?: string;
  pop?: true;
  group?: string;
  categories?: TokenType[];
  label?: string;
}

function token(name: string, match: (offset: number) => Match | undefined, options: Options = {}): TokenType {
  const exec = (_text: string, offset: number): CustomPatternMatcherReturn | null => {
    const found = match(offset);
    if (found === undefined) return null;
    const result = [scanner.source.slice(offset, found.end)] as unknown as CustomPatternMatcherReturn;
    if (found.payload !== undefined) result.payload = found.payload;
    return result;
  };
  return createToken({
    name,
    label: options.label ?? name,
    pattern: exec,
    line_breaks: true,
    ...(options.push !== undefined && { push_mode: options.push }),
    ...(options.pop && { pop_mode: true }),
    ...(options.group !== undefined && { group: options.group }),
    ...(options.categories && { categories: options.categories }),
  });
}

const ByteOrderMark = token('ByteOrderMark', (offset) => scanner.byteOrderMark(offset), {
  group: Lexer.SKIPPED,
});
const Space = token('Space', (offset) => scanner.space(offset), { group: Lexer.SKIPPED });
const Comment = token('Comment', (offset) => scanner.comment(offset), { group: 'comments' });
export const Directive = token('Directive', (offset) => scanner.directive(offset), { label: '# name=value' });

/** All instruction words, the unknown ones too. */
const AnyKeyword = createToken({ name: 'AnyKeyword', pattern: Lexer.NA });

/** The keyword tokens by instruction. ONBUILD stays in the outer mode, where its trigger's keyword is read. */
export const keywordTokens = Object.fromEntries(
  keywords.map((name) => {
    const mode = argumentModes[name];
    const options = { categories: [AnyKeyword], label: name, ...(mode !== 'trigger' && { push: mode }) };
    return [
      name,
      token(`${name[0]}${name.slice(1).toLowerCase()}`, (offset) => scanner.keyword(offset, name), options),
    ];
  }),
) as Record<Keyword, TokenType>;
export const ChainedOnbuild = token('ChainedOnbuild', (offset) => scanner.chainedOnbuild(offset), {
  categories: [AnyKeyword],
  push: 'value',
  label: 'ONBUILD',
});
export const UnknownKeyword = token('UnknownKeyword', (offset) => scanner.keyword(offset, undefined), {
  categories: [AnyKeyword],
  push: 'value',
  label: 'unknown word',
});

export const Flag = token('Flag', () => scanner.flag(false), { label: '--name=value' });
export const FlagsEnd = token('FlagsEnd', () => scanner.flag(true), { label: '--' });
export const LineEnd = token('LineEnd', () => scanner.lineEnd(), { pop: true, label: 'end of line' });
/** The line's end right behind ONBUILD and its flags, where no mode was opened. */
export const BareLineEnd = token('BareLineEnd', () => scanner.lineEnd(), { categories: [LineEnd] });
export const HeredocBody = token('HeredocBody', (offset) => scanner.heredocBody(offset), {
  label: 'body … NAME',
});

export const As = token('As', () => scanner.as(), { label: 'AS' });
export const Word = token('Word', () => scanner.word(), { label: 'word' });
export const Destination = token('Destination', () => scanner.lastWord(), { label: 'last word' });
export const HeredocWord = token('HeredocWord', () => scanner.openerWord(), { label: '<<NAME' });
export const HeredocOpener = token('HeredocOpener', () => scanner.openerInCommand(), { label: '<<NAME' });
export const Text = token('Text', () => scanner.text(), { label: 'text' });

export const JsonOpen = token('JsonOpen', () => scanner.jsonOpen(), { push: 'json', label: '[' });
export const JsonClose = token('JsonClose', () => scanner.jsonMark(']'), { pop: true, label: ']' });
export const JsonComma = token('JsonComma', () => scanner.jsonMark(','), { label: ',' });
export const JsonString = token('JsonString', () => scanner.jsonValue(true), { label: '"string"' });
/** A number, an array, … inside the JSON form: no instruction takes it. */
export const JsonOther = token('JsonOther', () => scanner.jsonValue(false), { label: 'other JSON' });

export const LegacyKey = token('LegacyKey', () => scanner.legacyKey(), { label: 'name' });
export const LegacyValue = token('LegacyValue', () => scanner.legacyValue(), { label: 'rest of the line' });
export const PairKey = token('PairKey', () => scanner.pairKey(), { label: 'name' });
export const PairEquals = token('PairEquals', () => scanner.pairEquals(false), { label: '=' });
/** The `=` of a word without a name: no instruction takes it. */
export const BlankName = token('BlankName', () => scanner.pairEquals(true));
export const PairValue = token('PairValue', () => scanner.pairValue(), { label: 'value' });

export const HealthNone = token('HealthNone', () => scanner.healthType('NONE'), { label: 'NONE' });
export const HealthCmd = token('HealthCmd', () => scanner.healthType('CMD'), { label: 'CMD' });
const HealthOther = token('HealthOther', () => scanner.healthType(undefined));

const head = [Space, Flag, FlagsEnd, LineEnd];

/** The modes: `file` between instructions, one per kind of arguments, and `json` inside the JSON form. */
export const lexerDefinition: IMultiModeLexerDefinition = {
  defaultMode: 'file',
  modes: {
    file: [
      ByteOrderMark,
      HeredocBody,
      Space,
      Directive,
      Comment,
      Flag,
      FlagsEnd,
      ChainedOnbuild,
      ...Object.values(keywordTokens),
      UnknownKeyword,
      BareLineEnd,
    ],
    words: [...head, As, Word],
    paths: [...head, JsonOpen, HeredocWord, Destination, Word],
    volumes: [...head, JsonOpen, Word],
    pairs: [...head, LegacyValue, LegacyKey, PairValue, PairKey, PairEquals, BlankName],
    command: [...head, JsonOpen, HeredocOpener, Text],
    health: [...head, HealthNone, HealthCmd, HealthOther, JsonOpen, Text],
    value: [...head, Text],
    json: [Space, JsonComma, JsonClose, JsonString, JsonOther],
  },
};

/** True for the token that begins an instruction. */
export function isKeyword({ tokenType }: IToken): boolean {
  return tokenType.CATEGORIES?.includes(AnyKeyword) ?? false;
}

/** Every token type, for the parser. */
export const allTokens: TokenType[] = [
  ...new Set([AnyKeyword, ...Object.values(lexerDefinition.modes).flat()]),
];
