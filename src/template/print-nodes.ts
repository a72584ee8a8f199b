import type { Command, Pipeline } from './nodes.ts';

/** A pipeline as Go's templates print it in messages. */
export function pipelineText(
  declared: Pick<Pipeline, 'variables' | 'assigns'>,
  commands: readonly Command[],
): string {
  const body = commands.map(({ text }) => text).join(' | ');
  if (declared.variables.length === 0) return body;
  return `${declared.variables.join(', ')} ${declared.assigns ? '=' : ':='} ${body}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** Go's `%q`: a string literal with everything that is not printable escaped. */
export function quoteGo(text: string): string {
  let quoted = '"';
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    quoted +=
      ESCAPES[character] ??
      (isPrintable(character)
        ? character
        : point < 0x80
          ? `\\x${point.toString(16).padStart(2, '0')}`
          : point < 0x10000
            ? `\\u${point.toString(16).padStart(4, '0')}`
            : `\\U${point.toString(16).padStart(8, '0')}`);
  }
  return `${quoted}"`;
}

function isPrintable(character: string): boolean {
  return character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character);
}
