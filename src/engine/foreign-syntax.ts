import { detectSyntax } from '../../grammar/directives.ts';
import { LineIndex } from '../../grammar/line-index.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import { isReference, parseReference } from '../image/reference.ts';
import type { BuildWarning } from '../plan/types.ts';

/** A Dockerfile and what may decide about its frontend. */
export interface SyntaxSource {
  file: string;
  text: string;
  buildArgs: ReadonlyMap<string, string>;
  /** Go on as if a foreign frontend were Docker's. */
  ignoreSyntax?: boolean | undefined;
}

/**
 * Looks which frontend a Dockerfile asks for, in any form of its `syntax` request, or by BUILDKIT_SYNTAX, which wins
 * (SPEC 1.2). There is one frontend here, which does what Docker's does, whatever its registry and tag.
 *
 * Gives a warning for another that `ignoreSyntax` passes over; throws `unsupported` (`SYNTAX_FOREIGN`) without.
 */
export function checkSyntax({ file, text, buildArgs, ignoreSyntax }: SyntaxSource): BuildWarning | undefined {
  const argument = buildArgs.get('BUILDKIT_SYNTAX');
  const wanted = argument ? argument.trim() : (detectSyntax(text)?.commandLine ?? '');
  const [reference = ''] = wanted.split(' ', 1);
  if (reference === '' || isDockerFrontend(reference)) return undefined;
  const range = argument ? undefined : rangeOf(text, reference);
  if (ignoreSyntax) {
    return {
      code: 'ForeignSyntax',
      message: `The file asks for the frontend ${reference} and is read as a Dockerfile`,
      range: range ?? new LineIndex(text).range(0, 0),
    };
  }
  throw new SlipwayError(
    'unsupported',
    `the frontend ${reference} cannot be run: only Docker's Dockerfile is read`,
    {
      code: 'SYNTAX_FOREIGN',
      hint: `${argument ? 'BUILDKIT_SYNTAX asks' : 'The syntax line asks'} for another program to read this file. If it is a Dockerfile all the same, build with --ignore-syntax.`,
      ...(range && { location: { file, text, range } }),
    },
  );
}

/** `docker/dockerfile`, its labs and upstream builds, wherever they are kept. */
function isDockerFrontend(reference: string): boolean {
  return (
    isReference(reference) && /(?:^|\/)docker\/dockerfile(?:-upstream)?$/.test(parseReference(reference).path)
  );
}

function rangeOf(text: string, reference: string): SourceRange {
  const at = text.indexOf(reference);
  return new LineIndex(text).range(at, at + reference.length);
}
