/** The kinds of Go's text/template tokens that the parser tells apart. */
export type TokenKind =
  | 'text'
  | 'left' // {{
  | 'right' // }}
  | 'comment'
  | 'field' // .Name
  | 'dot'
  | 'variable' // $ or $name
  | 'identifier'
  | 'keyword'
  | 'nil'
  | 'bool'
  | 'number'
  | 'char'
  | 'string'
  | 'raw-string'
  | 'pipe'
  | 'declare' // :=
  | 'assign' // =
  | 'comma' // the only single character that has a meaning of its own
  | 'character'
  | 'open'
  | 'close'
  | 'space'
  | 'end' // of the template
  | 'error';

export interface Token {
  kind: TokenKind;
  /** As it stands in the template; of an error, what is wrong. */
  text: string;
  /** Offset in the template, in UTF-16 units. */
  offset: number;
  /** From 1. */
  line: number;
}

export const KEYWORDS: ReadonlySet<string> = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
]);
