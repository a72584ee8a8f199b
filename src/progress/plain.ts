import type { Clock, ProgressStream } from './clock.ts';
import { PlainPrinter } from './plain-printer.ts';
import type { ProgressSink } from './sink.ts';

const INTERVAL_MS = 150;

/** The plain log (SPEC 3.4, as BuildKit prints it), written to `stream` as it comes up. */
export function plainSink(stream: ProgressStream, clock: Clock): ProgressSink {
  const printer = new PlainPrinter((text) => stream.write(text), { terminal: stream.isTTY === true });
  const stop = clock.every(INTERVAL_MS, () => printer.tick(clock.now()));
  return {
    internals: true,
    event: (event) => printer.event(event),
    close() {
      stop();
      printer.close(clock.now());
      return Promise.resolve();
    },
  };
}
