import { BuildState } from './build-state.ts';
import type { ProgressStream } from './clock.ts';
import { failureBoxes } from './format.ts';
import type { ProgressSink } from './sink.ts';

/** Says nothing, unless a step fails: then the end of its log. */
export function quietSink(stream: ProgressStream): ProgressSink {
  const state = new BuildState();
  return {
    event: (event) => void state.apply(event),
    close() {
      const text = failureBoxes(state);
      if (text !== '') stream.write(text);
      return Promise.resolve();
    },
  };
}
