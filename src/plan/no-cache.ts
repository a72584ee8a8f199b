import type { Command } from './link.ts';
import type { Builder, StageState } from './stage-state.ts';
import type { NoCacheReason } from './types.ts';

/** `# slipway: no-cache`, alone on its comment line. */
const COMMENT = /^slipway:\s*no-cache$/i;

/**
 * Why a step must run again although a result may be recorded: the whole build or its stage was asked to, or the
 * comment stands among those between its instruction and the one before. Above FROM it holds for the whole stage.
 */
export function noCacheReason(
  builder: Builder,
  state: StageState,
  command: Command,
): NoCacheReason | undefined {
  if (builder.options.noCache === true) return 'option';
  if (state.noCache) return 'filter';
  const instructions = command.isTrigger ? [state.stage.from] : [command.instruction, state.stage.from];
  const asked = instructions.some(({ comments }) => comments.some(({ text }) => COMMENT.test(text.trim())));
  return asked ? 'comment' : undefined;
}
