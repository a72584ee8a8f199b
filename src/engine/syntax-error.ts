import type { ParseError } from '../../grammar/ast.ts';
import { toDockerMessage } from '../../grammar/docker-message.ts';
import { SlipwayError } from '../errors/index.ts';

/** Errors beside the first that are listed; nobody mends more of them at once. */
const SHOWN = 50;

/** The errors of a Dockerfile as one: Docker's words for the first, the others counted and listed in the hint. */
export function syntaxError(
  errors: readonly ParseError[],
  source: { file: string; text: string },
): SlipwayError {
  const first = errors[0]!;
  const others = errors.slice(1, 1 + SHOWN).map(({ line, message }) => `line ${line}: ${message}`);
  if (errors.length > 1 + SHOWN) others.push(`and ${errors.length - 1 - SHOWN} more`);
  const hints = [
    ...(first.hint === undefined ? [] : [first.hint]),
    ...(others.length === 0 ? [] : [`The file has more errors: ${others.join('; ')}`]),
  ];
  return new SlipwayError('syntax', toDockerMessage(first), {
    code: first.code,
    ...(hints.length === 0 ? {} : { hint: hints.join(' ') }),
    location: { file: source.file, text: source.text, range: first.range },
  });
}
