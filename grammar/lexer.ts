import { type IToken, Lexer } from 'chevrotain';
import { type DirectiveScan, scanDirectives } from './directives.ts';
import { Scanner } from './scanner.ts';
import { BareLineEnd, Directive, HeredocBody, LineEnd, lexerDefinition, useScanner } from './tokens.ts';

let lexer: Lexer | undefined;

/** A file as tokens. */
export interface Tokens {
  scan: DirectiveScan;
  /** The tokens of each instruction. */
  instructions: IToken[][];
  /** Comments between instructions; those inside instructions are in the logical lines. */
  comments: IToken[];
}

/** Splits a text into tokens. Offsets are those of `text`, to which a missing last line break is added. */
export function tokenize(text: string): Tokens {
  lexer ??= new Lexer(lexerDefinition, { positionTracking: 'onlyOffset', skipValidations: true });
  const source = text.endsWith('\n') ? text : `${text}\n`;
  const scan = scanDirectives(source);
  useScanner(new Scanner(source, scan));
  const { tokens, groups, errors } = lexer.tokenize(source);
  if (errors.length > 0) throw new Error(`no token matches at offset ${errors[0]!.offset}`);
  return { scan, instructions: byInstruction(tokens), comments: groups.comments ?? [] };
}

function byInstruction(tokens: IToken[]): IToken[][] {
  const instructions: IToken[][] = [];
  let current: IToken[] | undefined;
  for (const token of tokens) {
    const { tokenType } = token;
    if (tokenType === Directive) continue;
    if (tokenType === HeredocBody) instructions.at(-1)!.push(token);
    else if (current === undefined) {
      current = [token];
      instructions.push(current);
    } else current.push(token);
    if (tokenType === LineEnd || tokenType === BareLineEnd) current = undefined;
  }
  return instructions;
}
