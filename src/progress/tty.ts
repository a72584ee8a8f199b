import { BuildState } from './build-state.ts';
import type { Clock, ProgressStream } from './clock.ts';
import { failureBoxes, warningBlock } from './format.ts';
import type { ProgressSink } from './sink.ts';
import { frame } from './tty-frame.ts';
import { TtyScreen } from './tty-screen.ts';

const INTERVAL_MS = 100;

export interface TtyOptions {
  clock: Clock;
  colour: boolean;
  /** BUILDKIT_COLORS. */
  colours?: string | undefined;
  /** Most log lines shown under a running step. */
  logLines: number;
}

/**
 * The live view: a picture of the build at the bottom of the terminal, drawn again every 100 ms, which is also how a
 * change of the terminal's size is noticed. At the end all steps stay in the scrollback, with the logs of
 * failed ones and the warnings below.
 */
export function ttySink(stream: ProgressStream, options: TtyOptions): ProgressSink {
  const { clock, logLines } = options;
  const state = new BuildState();
  const screen = new TtyScreen(stream, options);
  const draw = (final: boolean) => {
    if (state.shown.length === 0) return;
    const size = screen.size();
    screen.draw(frame(state, { size, now: clock.now(), logLines, final }), size);
  };
  const stop = clock.every(INTERVAL_MS, () => draw(false));
  return {
    event: (event) => void state.apply(event),
    close() {
      stop();
      draw(true);
      screen.restore();
      const text = failureBoxes(state) + warningBlock(state);
      if (text !== '') stream.write(text);
      return Promise.resolve();
    },
  };
}
