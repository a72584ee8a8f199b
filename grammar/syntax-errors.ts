import type { IToken } from 'chevrotain';
import type { ParseErrorCode } from './ast.ts';
import type { GrammarError } from './parser.ts';
import type { Places } from './places.ts';
import type { Problem } from './problem.ts';
import type { KeywordSlice } from './scanner.ts';
import { BlankName, HealthCmd, HeredocWord, LegacyKey } from './tokens.ts';

/** What the grammar expected, in Docker's words; `range` is that of the words that are wrong. */
export function syntaxError(error: GrammarError, keyword: IToken, places: Places): Problem {
  const rules = error.context.ruleStack;
  const name = (keyword.payload as KeywordSlice).word.toUpperCase();
  const found = error.token.payload === undefined ? undefined : error.token;
  const previous = error.previousToken;
  const make = (
    code: ParseErrorCode,
    message: string,
    at: IToken = found ?? keyword,
    hint?: string,
  ): Problem => ({
    message,
    code,
    range: places.token(at),
    ...(hint !== undefined && { hint }),
  });
  const count = (text: string, at?: IToken) => make('WRONG_ARGUMENT_COUNT', `${name} requires ${text}`, at);

  switch (rules.at(-1) === 'jsonArray' ? rules.at(-2) : rules.at(-1)) {
    case 'from':
      return count('either one or three arguments');
    case 'copy':
      if (previous?.tokenType === HeredocWord && found === undefined && previousIsSource(error, keyword)) {
        return make('HEREDOC_DESTINATION', `${name} cannot accept a heredoc as a destination`, previous);
      }
      return count('at least two arguments, but only one was provided. Destination could not be determined');
    case 'shell':
      return found === undefined
        ? count('at least one argument')
        : make(
            'NOT_JSON',
            `${name} requires the arguments to be in JSON form`,
            found,
            `Write SHELL ["/bin/bash", "-c"].`,
          );
    case 'healthcheck':
      return healthcheckError(error, keyword, make);
    case 'pair':
      return make(
        'MISSING_EQUALS',
        `Syntax error - can't find = in ${JSON.stringify(imageOf(previous!))}. Must be of the form: name=value`,
        previous,
        'Put a value with blanks in quotes.',
      );
    case 'variables':
    case 'arg':
    case 'declaration':
      if (error.token.tokenType === BlankName) return make('BLANK_NAME', `${name} names can not be blank`);
      if (previous?.tokenType === LegacyKey) {
        return make(
          'MISSING_SECOND_ARGUMENT',
          `${name} must have two arguments`,
          previous,
          `Write ${name} name=value.`,
        );
      }
      return count('at least one argument');
    case 'expose':
    case 'volume':
    case 'onbuild':
      return count('at least one argument');
    case 'value':
      return count('exactly one argument');
    default:
      return make('SYNTAX', `unexpected text in ${name}`);
  }
}

function healthcheckError(
  { token, previousToken }: GrammarError,
  keyword: IToken,
  make: (code: ParseErrorCode, message: string, at: IToken, hint?: string) => Problem,
): Problem {
  if (token.payload === undefined) {
    if (previousToken?.tokenType === HealthCmd) {
      return make('HEALTHCHECK_COMMAND', 'Missing command after HEALTHCHECK CMD', previousToken);
    }
    return make('WRONG_ARGUMENT_COUNT', 'HEALTHCHECK requires at least one argument', keyword);
  }
  if (token.tokenType.name === 'HealthOther') {
    const type = JSON.stringify(imageOf(token).toUpperCase());
    return make('HEALTHCHECK_TYPE', `Unknown type ${type} in HEALTHCHECK (try CMD)`, token);
  }
  return make('WRONG_ARGUMENT_COUNT', 'HEALTHCHECK NONE takes no arguments', token);
}

/** Whether a here-document that stands last has another source before it. */
function previousIsSource(error: GrammarError, keyword: IToken): boolean {
  const last = error.previousToken!.payload as KeywordSlice;
  const { rest, line } = keyword.payload as KeywordSlice;
  return line.text.slice(rest, last.start).trim() !== '';
}

/** A word as the logical line has it. */
function imageOf(token: IToken): string {
  const { line, start, end } = token.payload as KeywordSlice;
  return line.text.slice(start, end);
}
