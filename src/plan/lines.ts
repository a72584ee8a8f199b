import type { Command, LinkedStage } from './link.ts';
import type { StageState } from './stage-state.ts';
import type { PlannedLine } from './types.ts';

/** Begins the list of a stage's lines with its FROM; the function that it gives adds one that has been applied. */
export function lineNotes(state: StageState, stage: LinkedStage): (command: Command) => void {
  const lines: PlannedLine[] = [lineOf(state, stage.from.original)];
  state.lines = lines;
  return ({ instruction, isTrigger }) => {
    const line = lineOf(state, instruction.original);
    if (line.result !== lines.at(-1)!.result) line.node = line.result;
    if (isTrigger) line.trigger = true;
    lines.push(line);
  };
}

/** The line that `--label` stands for, as the classic builder shows it. */
export function noteLabels(state: StageState, labels: ReadonlyMap<string, string>): void {
  const text = `LABEL ${[...labels].map(([key, value]) => `${key}=${value}`).join(' ')}`;
  state.lines?.push(lineOf(state, text));
}

function lineOf({ result, config, author, history }: StageState, text: string): PlannedLine {
  return {
    text,
    result,
    config: structuredClone(config),
    ...(author ? { author } : {}),
    history: history.length,
  };
}
