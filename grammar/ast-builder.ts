import type { CstNode, IToken } from 'chevrotain';
import type { Comment, Directive, Dockerfile, Heredoc, Instruction, Keyword, ParseError } from './ast.ts';
import { skipSpaces, trimSpaces } from './characters.ts';
import type { DirectiveScan } from './directives.ts';
import { isReaderError } from './docker-message.ts';
import { checkFlags } from './flag-checks.ts';
import { buildInstruction, type Draft, flagsOf, nodesOf, tokensOf } from './instruction-builder.ts';
import { flagBlind, keywords } from './keywords.ts';
import type { Tokens } from './lexer.ts';
import type { Span } from './logical-line.ts';
import { type ConcreteTree, isKeyword } from './parser.ts';
import { Places } from './places.ts';
import type { Problem } from './problem.ts';
import type { KeywordSlice } from './scanner.ts';
import { suggest } from './suggestions.ts';
import { syntaxError } from './syntax-errors.ts';
import { UnknownKeyword } from './tokens.ts';

/** A tree with the errors found on the way, in no order. */
export interface BuiltFile {
  dockerfile: Dockerfile;
  errors: ParseError[];
}

/** Makes the syntax tree of `source` from its tokens and its concrete tree. */
export function buildDockerfile(
  source: string,
  { scan, tokens, comments }: Tokens,
  cst: ConcreteTree,
): BuiltFile {
  return new Builder(source, syntaxProblems(source, tokens, cst)).build(scan, comments, cst.tree);
}

/** The first complaint of the grammar about each instruction, by the offset of its keyword. */
function syntaxProblems(source: string, tokens: IToken[], { errors }: ConcreteTree): Map<number, Problem> {
  const places = new Places(source);
  const starts = tokens.filter(isKeyword);
  const problems = new Map<number, Problem>();
  let at = 0;
  for (const error of errors) {
    const offset = Number.isNaN(error.token.startOffset) ? Number.POSITIVE_INFINITY : error.token.startOffset;
    // At the end of the input the token before tells where the error is.
    while (at + 1 < starts.length && starts[at + 1]!.startOffset <= offset) at++;
    const keyword = starts[at];
    if (keyword === undefined || problems.has(keyword.startOffset)) continue;
    problems.set(keyword.startOffset, syntaxError(error, keyword, places));
  }
  return problems;
}

class Builder {
  readonly #source: string;
  readonly #places: Places;
  readonly #syntax: Map<number, Problem>;
  readonly #errors: ParseError[] = [];
  readonly #comments: Comment[] = [];

  constructor(source: string, syntax: Map<number, Problem>) {
    this.#source = source;
    this.#places = new Places(source);
    this.#syntax = syntax;
  }

  build(scan: DirectiveScan, commentTokens: IToken[], tree: CstNode): BuiltFile {
    const directives = this.#directives(scan);
    const outer = commentTokens.map((token) =>
      this.#comment({ start: token.startOffset, end: token.startOffset + token.image.length }),
    );
    const nodes = [...nodesOf(tree, 'instruction'), ...nodesOf(tree, 'onbuild')]
      .map((node) => ({ node, keyword: keywordOf(node) }))
      .filter((entry): entry is { node: CstNode; keyword: IToken } => entry.keyword !== undefined)
      .sort((a, b) => a.keyword.startOffset - b.keyword.startOffset);
    const instructions: Instruction[] = [];
    let next = 0;
    for (const { node, keyword } of nodes) {
      const block: Comment[] = [];
      for (; next < outer.length && outer[next]!.range.start.offset < keyword.startOffset; next++) {
        if (outer[next]!.text === '') block.length = 0;
        else block.push(outer[next]!);
      }
      const { instruction, errors } = this.#instruction(node, keyword);
      this.#errors.push(...errors);
      if (instruction !== undefined) instructions.push({ ...instruction, comments: block });
      for (const span of (keyword.payload as KeywordSlice).line.comments)
        this.#comments.push(this.#comment(span));
    }
    const comments = [...outer, ...this.#comments].sort(
      (a, b) => a.range.start.offset - b.range.start.offset,
    );
    const range = this.#places.span({ start: 0, end: this.#source.length });
    const dockerfile: Dockerfile = {
      kind: 'dockerfile',
      range,
      escape: scan.escape,
      directives,
      instructions,
      comments,
    };
    return { dockerfile, errors: this.#errors };
  }

  #comment(span: Span): Comment {
    const text = trimSpaces(this.#source.slice(span.start + 1, span.end));
    return { kind: 'comment', text, range: this.#places.span(span) };
  }

  #directives({ directives }: DirectiveScan): Directive[] {
    const nodes: Directive[] = [];
    for (const { name, value, error, start, end, valueStart } of directives) {
      const range = this.#places.span({ start, end });
      const valueRange = this.#places.span({ start: valueStart, end });
      const line = range.start.line;
      if (error === undefined) nodes.push({ kind: 'directive', name, value, range, valueRange });
      else if (error === 'duplicate') {
        const message = `only one ${name} parser directive can be used`;
        this.#errors.push({ message, code: 'DUPLICATE_DIRECTIVE', range, line });
      } else {
        const message = `invalid escape token '${value}' does not match \` or \\`;
        this.#errors.push({ message, code: 'INVALID_ESCAPE', range: valueRange, line });
      }
    }
    return nodes;
  }

  /** An instruction, or undefined with the errors that stand in its way. Errors that leave it usable come with it. */
  #instruction(node: CstNode, keyword: IToken): { instruction?: Instruction; errors: ParseError[] } {
    const slice = keyword.payload as KeywordSlice;
    const line = this.#places.token(keyword).start.line;
    const locate = (problems: Problem[]): ParseError[] => problems.map((problem) => ({ ...problem, line }));
    const rule = ruleOf(node);
    const name = keywordName(keyword);
    if (name === undefined) return { errors: locate([this.#unknown(slice)]) };

    const draft = this.#draft(rule, name, slice);
    const problems = this.#unterminated(slice);
    const flagProblems = flagsCount(draft) ? checkFlags(name, draft.base.flags) : [];
    const syntax = this.#syntax.get(keyword.startOffset);
    if (syntax !== undefined) return { errors: locate([syntax, ...flagProblems, ...problems]) };
    if (name === 'ONBUILD') return this.#onbuild(draft, locate([...flagProblems, ...problems]));
    const built = buildInstruction(draft);
    if ('problem' in built) return { errors: locate([built.problem, ...flagProblems, ...problems]) };
    problems.push(...flagProblems, ...stageNameProblem(built.instruction));
    return { instruction: built.instruction, errors: locate(problems) };
  }

  #onbuild(draft: Draft, errors: ParseError[]): { instruction?: Instruction; errors: ParseError[] } {
    const { node, slice } = draft;
    const trigger = nodesOf(node, 'instruction')[0] ?? nodesOf(node, 'chained')[0];
    const keyword = trigger && keywordOf(trigger);
    if (trigger === undefined || keyword === undefined) return { errors };
    const name = keywordName(keyword);
    if (name === 'ONBUILD' || name === 'FROM' || name === 'MAINTAINER') {
      const message =
        name === 'ONBUILD'
          ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
          : `${name} isn't allowed as an ONBUILD trigger`;
      const range = this.#places.token(keyword);
      return { errors: [...errors, { message, code: 'FORBIDDEN_TRIGGER', range, line: range.start.line }] };
    }
    const parsed = this.#instruction(trigger, keyword);
    // Docker reads the trigger now and judges it when it runs.
    const readerErrors = parsed.errors.filter(({ code }) => isReaderError(code));
    const triggerErrors = parsed.errors.filter(({ code }) => !isReaderError(code));
    if (readerErrors.length > 0) return { errors: [...errors, ...readerErrors] };
    const { instruction } = parsed;
    const heredocs = instruction?.heredocs ?? [];
    const bodies = heredocs.map(({ content, name: end }) => `\n${content}${end}`);
    const base = { ...draft.base, comments: [], heredocs, range: instruction?.range ?? draft.base.range };
    return {
      instruction: {
        ...base,
        range: { start: draft.base.range.start, end: base.range.end },
        keyword: 'ONBUILD',
        // White space at the end of the line is stored too.
        trigger:
          slice.line.text.slice(skipSpaces(slice.line.text, slice.end)) + slice.line.tail + bodies.join(''),
        ...(instruction !== undefined && triggerErrors.length === 0 && { instruction }),
        triggerErrors,
      },
      errors,
    };
  }

  #draft(node: CstNode, keyword: Keyword, slice: KeywordSlice): Draft {
    const places = this.#places;
    const { line } = slice;
    const heredocs: Heredoc[] = slice.bodies.map((body) => places.heredoc(body, slice));
    const { start } = places.slice(slice);
    const lastBody = slice.bodies.at(-1)?.body;
    const end = lastBody
      ? places.span({ start: lastBody.start, end: lastBody.terminatorEnd }).end
      : places.slice({ line, start: slice.start, end: line.text.length }).end;
    const base: Draft['base'] = {
      kind: 'instruction',
      range: { start, end },
      keywordRange: places.slice(slice),
      word: slice.word,
      flags: flagsOf(node, places),
      text: line.text.slice(slice.rest),
      original: line.text.slice(slice.start),
      textMap: places.textMap(slice),
      heredocs,
      emptyContinuations: line.emptyLines.map((span) => places.span(span)),
    };
    return { keyword, slice, node, places, base };
  }

  #unknown(slice: KeywordSlice): Problem {
    const { word } = slice;
    const suggestion = suggest(word, keywords, { caseSensitive: false });
    return {
      message: `unknown instruction: ${word}`,
      code: 'UNKNOWN_INSTRUCTION',
      range: this.#places.slice(slice),
      ...(suggestion !== undefined && { suggestion, hint: `Did you mean ${suggestion}?` }),
    };
  }

  /** The first opener without its terminator. */
  #unterminated({ line, openers, bodies }: KeywordSlice): Problem[] {
    const opener = openers[bodies.filter(({ body }) => body.terminated).length];
    if (opener === undefined) return [];
    const range = this.#places.slice({ line, start: opener.start, end: opener.end });
    const hint = `A line that holds ${opener.name} alone, with no blanks around it, must end it.`;
    return [{ message: 'unterminated heredoc', code: 'UNTERMINATED_HEREDOC', range, hint }];
  }
}

/** The rule below `instruction`, or the node itself. */
function ruleOf(node: CstNode): CstNode {
  if (node.name !== 'instruction') return node;
  return (Object.values(node.children)[0]?.[0] as CstNode | undefined) ?? node;
}

function keywordOf(node: CstNode): IToken | undefined {
  for (const children of Object.values(ruleOf(node).children)) {
    const token = children.find((child): child is IToken => 'tokenType' in child && isKeyword(child));
    if (token !== undefined) return token;
  }
  return undefined;
}

function keywordName({ tokenType, payload }: IToken): Keyword | undefined {
  return tokenType === UnknownKeyword ? undefined : ((payload as KeywordSlice).word.toUpperCase() as Keyword);
}

function flagsCount({ keyword, node }: Draft): boolean {
  return !flagBlind.has(keyword) && tokensOf(node, 'HealthNone').length === 0;
}

function stageNameProblem(instruction: Instruction): Problem[] {
  if (instruction.keyword !== 'FROM' || instruction.alias === undefined) return [];
  const { text, range } = instruction.alias;
  if (/^[a-z][a-z0-9\-_.]*$/.test(text.toLowerCase())) return [];
  const message = `invalid name for build stage: ${JSON.stringify(text)}, name can't start with a number or contain symbols`;
  return [{ message, code: 'INVALID_STAGE_NAME', range }];
}
