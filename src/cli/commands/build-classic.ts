import type { BuildResult } from '../../engine/options.ts';
import { SlipwayError } from '../../errors/index.ts';
import { familiarReference, parseReference } from '../../image/reference.ts';
import { shortId } from '../../progress/classic.ts';
import { safeLines, safeText } from '../../progress/safe-text.ts';

/** What the classic builder says when a build is done. */
export function classicEnd({ images, unusedBuildArgs }: BuildResult): string {
  const unused = unusedBuildArgs.map(safeText).join(' ');
  const lines = unused === '' ? [] : [`[Warning] One or more build-args [${unused}] were not consumed`];
  for (const { imageId, tags } of images) {
    lines.push(`Successfully built ${shortId(imageId)}`);
    for (const tag of tags) lines.push(`Successfully tagged ${familiarReference(parseReference(tag))}`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * What the classic builder says on standard error when the process of a RUN fails, and its exit code, which is the
 * process's; undefined for any other error.
 */
export function classicFailure(error: unknown): { text: string; exitCode: number } | undefined {
  if (!(error instanceof SlipwayError) || error.kind !== 'step-failed') return undefined;
  const match = /^process "(.*)" did not complete successfully: exit code: (\d+)$/s.exec(error.message);
  if (match === null) return undefined;
  const [, command, exitCode] = match;
  const hint = error.hint === undefined ? '' : `Hint: ${safeLines(error.hint)}\n`;
  return {
    text: `The command '${safeLines(command!)}' returned a non-zero code: ${exitCode}\n${hint}`,
    exitCode: Number(exitCode),
  };
}
