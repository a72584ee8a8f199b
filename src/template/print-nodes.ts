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
