import type { CstNode, IToken } from 'chevrotain';
import type { SourcePosition } from '../src/errors/index.ts';
import type { Comment, Directive, Dockerfile, Flag, Instruction, Keyword, ParseError } from './ast.ts';
import { skipSpaces, trimSpaces } from './characters.ts';
import type { DirectiveScan } from './directives.ts';
import { isReaderError } from './docker-message.ts';
import { checkFlags } from './flag-checks.ts';
import { type Base, buildInstruction, nodesOf } from './instruction-builder.ts';
import { flagBlind, keywords } from './keywords.ts';
import type { Tokens } from './lexer.ts';
import type { Span } from './logical-line.ts';
import { type ConcreteTree, parseInstruction } from './parser.ts';
import { Places } from './places.ts';
import type { Problem } from './problem.ts';
import type { KeywordSlice } from './scanner.ts';
import { suggest } from './suggestions.ts';
import { syntaxError } from './syntax-errors.ts';
import { Flag as FlagToken, HealthNone, isKeyword, UnknownKeyword } from './tokens.ts';

/** With so many errors it is no Dockerfile: what follows is not looked at, so that a megabyte of errors costs no seconds. */
const MAX_ERRORS = 1000;

/** A tree with the errors found on the way, in no order. */
export interface BuiltFile {
  dockerfile: Dockerfile;
  errors: ParseError[];
}

/** Makes the syntax tree of `source` from its tokens. */
export function buildDockerfile(source: string, tokens: Tokens): BuiltFile {
  return new Builder(source).build(tokens);
}

/** An instruction, or none, with its errors: those that stand in its way, or that leave it usable. */
interface Outcome {
  instruction?: Instruction;
  errors: ParseError[];
}

/** What is known of an instruction before its arguments are looked at. */
interface Head {
  keyword: IToken;
  /** The tokens from the keyword on. */
  tokens: IToken[];
  tree: ConcreteTree;
}

class Builder {
  readonly #source: string;
  readonly #places: Places;
  readonly #errors: ParseError[] = [];
  readonly #comments: Comment[] = [];

  constructor(source: string) {
    this.#source = source;
    this.#places = new Places(source);
  }

  build({ scan, instructions: groups, comments: commentTokens }: Tokens): BuiltFile {
    const directives = this.#directives(scan);
    const outer = commentTokens.map((token) =>
      this.#comment({ start: token.startOffset, end: token.startOffset + token.image.length }),
    );
    const instructions: Instruction[] = [];
    let next = 0;
    for (const tokens of groups) {
      if (this.#errors.length >= MAX_ERRORS) break;
      const keyword = tokens[0]!;
      const block: Comment[] = [];
      for (; next < outer.length && outer[next]!.range.start.offset < keyword.startOffset; next++) {
        if (outer[next]!.text === '') block.length = 0;
        else block.push(outer[next]!);
      }
      const { instruction, errors } = this.#instruction({ keyword, tokens, tree: parseInstruction(tokens) });
      for (const error of errors) this.#errors.push(error);
      if (instruction !== undefined) instructions.push({ ...instruction, comments: block });
      for (const span of (keyword.payload as KeywordSlice).line.comments)
        this.#comments.push(this.#comment(span));
    }
    const comments = outer.concat(this.#comments).sort((a, b) => a.range.start.offset - b.range.start.offset);
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

  #instruction({ keyword, tokens, tree }: Head): Outcome {
    const slice = keyword.payload as KeywordSlice;
    const line = this.#places.token(keyword).start.line;
    const locate = (problems: Problem[]): ParseError[] => problems.map((problem) => ({ ...problem, line }));
    const name = keywordName(keyword);
    if (name === undefined) return { errors: locate([this.#unknown(slice)]) };

    const base = this.#base(slice, tokens);
    const blind = flagBlind.has(name) || tokens.some(({ tokenType }) => tokenType === HealthNone);
    const problems = (blind ? [] : checkFlags(name, base.flags)).concat(this.#unterminated(slice));
    const inner = name === 'ONBUILD' ? tokens.findIndex((token, index) => index > 0 && isKeyword(token)) : -1;
    if (inner !== -1) {
      const trigger = { keyword: tokens[inner]!, tokens: tokens.slice(inner), tree: innerTree(tree) };
      return this.#onbuild(base, { slice, trigger, errors: locate(problems) });
    }
    if ('error' in tree)
      return { errors: locate([syntaxError(tree.error, keyword, this.#places), ...problems]) };
    const built = buildInstruction({
      keyword: name,
      slice,
      node: ruleOf(tree.node),
      places: this.#places,
      base,
    });
    if ('problem' in built) return { errors: locate([built.problem, ...problems]) };
    const all = problems.concat(stageNameProblem(built.instruction));
    return { instruction: built.instruction, errors: locate(all) };
  }

  #onbuild(
    base: Base,
    { slice, trigger, errors }: { slice: KeywordSlice; trigger: Head; errors: ParseError[] },
  ): Outcome {
    const name = keywordName(trigger.keyword);
    if (name === 'ONBUILD' || name === 'FROM' || name === 'MAINTAINER') {
      const message =
        name === 'ONBUILD'
          ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
          : `${name} isn't allowed as an ONBUILD trigger`;
      const range = this.#places.token(trigger.keyword);
      return {
        errors: errors.concat({ message, code: 'FORBIDDEN_TRIGGER', range, line: base.range.start.line }),
      };
    }
    const parsed = this.#instruction(trigger);
    // Docker reads the trigger now and judges it when it runs.
    const readerErrors = parsed.errors.filter(({ code }) => isReaderError(code));
    if (readerErrors.length > 0) return { errors: errors.concat(readerErrors) };
    const triggerErrors = parsed.errors;
    const heredocs = (trigger.keyword.payload as KeywordSlice).bodies.map((body) =>
      this.#places.heredoc(body, slice),
    );
    const { line } = slice;
    // White space at the end of the line is stored too.
    const head = line.text.slice(skipSpaces(line.text, slice.end)) + line.tail;
    const instruction: Instruction = {
      ...base,
      comments: [],
      heredocs,
      range: {
        start: base.range.start,
        end: heredocs.length > 0 ? this.#end(trigger.keyword.payload as KeywordSlice) : base.range.end,
      },
      keyword: 'ONBUILD',
      trigger: head + heredocs.map(({ content, name: end }) => `\n${content}${end}`).join(''),
      ...(parsed.instruction !== undefined &&
        triggerErrors.length === 0 && { instruction: parsed.instruction }),
      triggerErrors,
    };
    return { instruction, errors };
  }

  #base(slice: KeywordSlice, tokens: IToken[]): Base {
    const places = this.#places;
    const { line } = slice;
    const keywordRange = places.slice(slice);
    const flags: Flag[] = [];
    for (let at = 1; tokens[at]?.tokenType === FlagToken; at++) flags.push(places.flag(tokens[at]!));
    return {
      kind: 'instruction',
      range: { start: keywordRange.start, end: this.#end(slice) },
      keywordRange,
      word: slice.word,
      flags,
      text: line.text.slice(slice.rest),
      original: line.text.slice(slice.start),
      textMap: places.textMap(slice),
      heredocs: slice.bodies.map((body) => places.heredoc(body, slice)),
      emptyContinuations: line.emptyLines.map((span) => places.span(span)),
    };
  }

  /** Where an instruction ends: with its last terminator, or its line. */
  #end({ bodies, line, start }: KeywordSlice): SourcePosition {
    const body = bodies.at(-1)?.body;
    if (body !== undefined) return this.#places.span({ start: body.start, end: body.terminatorEnd }).end;
    return this.#places.slice({ line, start, end: line.text.length }).end;
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

/** The rule of the instruction itself. */
function ruleOf(node: CstNode): CstNode {
  const instruction = node.name === 'instruction' ? node : nodesOf(node, 'instruction')[0]!;
  return Object.values(instruction.children)[0]![0] as CstNode;
}

/** The tree of what follows ONBUILD. */
function innerTree(tree: ConcreteTree): ConcreteTree {
  return 'error' in tree ? tree : { node: nodesOf(tree.node, 'onbuild')[0]! };
}

function keywordName({ tokenType, payload }: IToken): Keyword | undefined {
  return tokenType === UnknownKeyword ? undefined : ((payload as KeywordSlice).word.toUpperCase() as Keyword);
}

function stageNameProblem(instruction: Instruction): Problem[] {
  if (instruction.keyword !== 'FROM' || instruction.alias === undefined) return [];
  const { text, range } = instruction.alias;
  if (/^[a-z][a-z0-9\-_.]*$/.test(text.toLowerCase())) return [];
  const message = `invalid name for build stage: ${JSON.stringify(text)}, name can't start with a number or contain symbols`;
  return [{ message, code: 'INVALID_STAGE_NAME', range }];
}
