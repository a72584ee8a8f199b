import { type IToken, Lexer } from 'chevrotain';
import { type DirectiveScan, scanDirectives } from './directives.ts';
import { Scanner } from './scanner.ts';
import { lexerDefinition, useScanner } from './tokens.ts';

let lexer: Lexer | undefined;

/** A file as tokens. */
export interface Tokens {
  scan: DirectiveScan;
  tokens: IToken[];
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
  return { scan, tokens, comments: groups.comments ?? [] };
}
