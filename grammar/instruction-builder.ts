import type { CstNode, IToken } from 'chevrotain';
import type {
  CommandForm,
  CopyInstruction,
  CopySource,
  Instruction,
  InstructionBase,
  Keyword,
  Pair,
  Word,
} from './ast.ts';
import { trimSpaces } from './characters.ts';
import { readOpener } from './heredoc-words.ts';
import { type Places, sliceOf } from './places.ts';
import type { Problem } from './problem.ts';
import type { KeywordSlice } from './scanner.ts';

/** Parts of a concrete node by name: tokens under token names, nodes under rule names. */
function tokensOf(node: CstNode, name: string): IToken[] {
  return (node.children[name] ?? []) as IToken[];
}

export function nodesOf(node: CstNode, name: string): CstNode[] {
  return (node.children[name] ?? []) as CstNode[];
}

/** One instruction under construction: where it is, its concrete node, and what all instructions have. */
interface Draft {
  keyword: Keyword;
  slice: KeywordSlice;
  node: CstNode;
  places: Places;
  base: Base;
}

/** What all instructions have, but for the comments before them. */
export type Base = Omit<InstructionBase, 'comments'>;

/** An instruction without its comments, or what is wrong with it. */
export type Built = { instruction: Instruction } | { problem: Problem };

/** The form of the arguments of an instruction that the grammar has accepted. Not for ONBUILD. */
export function buildInstruction(draft: Draft): Built {
  const { keyword, node } = draft;
  const base = { ...draft.base, comments: [] };
  const array = nodesOf(node, 'jsonArray')[0];
  const other = array && tokensOf(array, 'JsonOther')[0];
  if (other !== undefined) {
    const message = 'when using JSON array syntax, arrays must be comprised of strings only';
    return fail({
      message,
      code: 'JSON_NOT_STRINGS',
      range: draft.places.token(other),
      hint: 'Put it in double quotes.',
    });
  }
  switch (keyword) {
    case 'FROM': {
      const [image, alias] = words(draft, 'Word');
      const as = words(draft, 'As')[0];
      return done({ ...base, keyword, image: image!, ...(as && { as }), ...(alias && { alias }) });
    }
    case 'RUN':
    case 'CMD':
    case 'ENTRYPOINT':
      return done({ ...base, keyword, ...commandForm(draft) });
    case 'SHELL': {
      const form = commandForm(draft);
      if (form.form === 'shell' || form.args.length === 0)
        return fail(wrongCount(draft, 'at least one argument'));
      return done({ ...base, keyword, ...form });
    }
    case 'HEALTHCHECK':
      return healthcheck(draft);
    case 'COPY':
    case 'ADD':
      return copy(draft, keyword);
    case 'ENV':
    case 'LABEL':
    case 'ARG': {
      const legacyKey = words(draft, 'LegacyKey')[0];
      if (legacyKey === undefined) return done({ ...base, keyword, pairs: pairs(draft), legacy: false });
      const value = words(draft, 'LegacyValue')[0]!;
      const range = { start: legacyKey.range.start, end: value.range.end };
      return done({ ...base, keyword, pairs: [{ key: legacyKey, value, range }], legacy: true });
    }
    case 'EXPOSE':
      return done({ ...base, keyword, words: words(draft, 'Word') });
    case 'VOLUME': {
      const list = array === undefined ? words(draft, 'Word') : jsonWords(draft);
      if (list.length === 0) return fail(wrongCount(draft, 'at least one argument'));
      const empty = list.find((word) => trimSpaces(word.text) === '');
      if (empty !== undefined) {
        return fail({
          message: 'VOLUME specified can not be an empty string',
          code: 'EMPTY_VOLUME',
          range: empty.range,
        });
      }
      return done({ ...base, keyword, form: array === undefined ? 'plain' : 'json', words: list });
    }
    case 'USER':
    case 'WORKDIR':
    case 'STOPSIGNAL':
    case 'MAINTAINER':
      return done({ ...base, keyword, value: words(draft, 'Text')[0]! });
    case 'ONBUILD':
      throw new Error('ONBUILD is built by its own builder');
  }
}

function done(instruction: Instruction): Built {
  return { instruction };
}

function fail(problem: Problem): Built {
  return { problem };
}

function wrongCount({ keyword, places, slice }: Draft, text: string): Problem {
  return { message: `${keyword} requires ${text}`, code: 'WRONG_ARGUMENT_COUNT', range: places.slice(slice) };
}

function words({ node, places, slice }: Draft, name: string): Word[] {
  return tokensOf(node, name).map((token) => places.word(sliceOf(token), slice));
}

function jsonWords({ node, places, slice }: Draft): Word[] {
  const array = nodesOf(node, 'jsonArray')[0];
  return array === undefined
    ? []
    : tokensOf(array, 'JsonString').map((token) => places.jsonWord(token, slice));
}

function commandForm(draft: Draft): CommandForm {
  if (nodesOf(draft.node, 'jsonArray').length === 0) return { form: 'shell' };
  const list = jsonWords(draft);
  return { form: 'exec', args: list.map(({ text }) => text), argRanges: list.map(({ range }) => range) };
}

function healthcheck(draft: Draft): Built {
  const { keyword, node, slice, places } = draft;
  const base = { ...draft.base, comments: [], keyword: keyword as 'HEALTHCHECK' };
  if (tokensOf(node, 'HealthNone').length > 0) return done({ ...base, none: true });
  const form = commandForm(draft);
  if (form.form === 'exec' && form.args.length === 0) {
    const range = places.token(tokensOf(node, 'HealthCmd')[0]!);
    return fail({ message: 'Missing command after HEALTHCHECK CMD', code: 'HEALTHCHECK_COMMAND', range });
  }
  const { line } = slice;
  const first = tokensOf(node, 'Text')[0] ?? tokensOf(nodesOf(node, 'jsonArray')[0]!, 'JsonOpen')[0]!;
  const command = places.word({ line, start: sliceOf(first).start, end: line.text.length }, slice);
  return done({ ...base, none: false, command, ...form });
}

function copy(draft: Draft, keyword: CopyInstruction['keyword']): Built {
  const { node } = draft;
  const base = { ...draft.base, comments: [], keyword };
  if (nodesOf(node, 'jsonArray').length > 0) {
    const list = jsonWords(draft);
    const destination = list.pop();
    if (destination === undefined || list.length === 0) {
      const text = 'at least two arguments, but only one was provided. Destination could not be determined';
      return fail(wrongCount(draft, text));
    }
    if (readOpener(destination.text) !== undefined) {
      const message = `${keyword} cannot accept a heredoc as a destination`;
      return fail({ message, code: 'HEREDOC_DESTINATION', range: destination.range });
    }
    return done({ ...base, form: 'json', sources: list, destination });
  }
  const paths: CopySource[] = words(draft, 'Word');
  // Bodies are found by name, so of two with one name the last counts for both.
  const byName = new Map(draft.base.heredocs.map(({ name }, index) => [name, index]));
  const openers = words(draft, 'HeredocWord').map((word) => heredocSource(word, byName));
  const sources = [...paths, ...openers].sort((a, b) => a.offset - b.offset);
  return done({ ...base, form: 'plain', sources, destination: words(draft, 'Destination')[0]! });
}

function heredocSource(word: Word, byName: ReadonlyMap<string, number>): CopySource {
  const heredoc = byName.get(readOpener(word.text)!.name);
  return heredoc === undefined ? word : { ...word, heredoc };
}

function pairs(draft: Draft): Pair[] {
  const { places, slice, node } = draft;
  return [...nodesOf(node, 'pair'), ...nodesOf(node, 'declaration')].map((pair) => {
    const key = places.word(sliceOf(tokensOf(pair, 'PairKey')[0]!), slice);
    const equals = tokensOf(pair, 'PairEquals')[0];
    if (equals === undefined) return { key, range: key.range };
    const { line, end } = sliceOf(equals);
    const token = tokensOf(pair, 'PairValue')[0];
    const value = places.word(token === undefined ? { line, start: end, end } : sliceOf(token), slice);
    return { key, value, range: { start: key.range.start, end: value.range.end } };
  });
}
