import { type Clock, type ProgressStream, systemClock } from './clock.ts';
import { plainSink } from './plain.ts';
import type { ProgressSink } from './sink.ts';

/**
 * Faces of the event stream. `auto` is `tty` on a terminal, else `plain`; `none` is another word for `quiet`; `classic`
 * is for builds that announce their lines, and goes to `SinkOptions.output`.
 */
export type ProgressMode = 'auto' | 'classic' | 'none' | 'plain' | 'quiet' | 'rawjson' | 'tty';

const MODES: readonly string[] = [
  'auto',
  'classic',
  'none',
  'plain',
  'quiet',
  'rawjson',
  'tty',
] satisfies ProgressMode[];

export interface SinkOptions {
  /** NO_COLOR, TERM, BUILDKIT_COLORS and BUILDKIT_TTY_LOG_LINES are looked at. */
  env: NodeJS.ProcessEnv;
  clock?: Clock;
  /** Standard output, for `classic`. */
  output?: ProgressStream;
}

export function isProgressMode(text: string): text is ProgressMode {
  return MODES.includes(text);
}

/** The display that will really be used: `tty` needs a terminal that understands escape sequences. */
export function effectiveMode(
  mode: ProgressMode,
  stream: ProgressStream,
  env: NodeJS.ProcessEnv,
): 'classic' | 'plain' | 'quiet' | 'rawjson' | 'tty' {
  if (mode === 'none') return 'quiet';
  if (mode !== 'auto' && mode !== 'tty') return mode;
  return stream.isTTY === true && env.TERM !== 'dumb' && env.TERM !== '' ? 'tty' : 'plain';
}

/** A display of `mode` on `stream` (standard error for `build`). Of the others only the one that is used is loaded. */
export async function createSink(
  mode: ProgressMode,
  stream: ProgressStream,
  options: SinkOptions,
): Promise<ProgressSink> {
  const clock = options.clock ?? systemClock;
  switch (effectiveMode(mode, stream, options.env)) {
    case 'plain':
      return plainSink(stream, clock);
    case 'classic': {
      const { classicSink } = await import('./classic.ts');
      return classicSink(options.output ?? stream, { colour: !options.env.NO_COLOR, errors: stream });
    }
    case 'rawjson':
      return (await import('./rawjson.ts')).rawJsonSink(stream);
    case 'tty': {
      const lines = Number.parseInt(options.env.BUILDKIT_TTY_LOG_LINES ?? '', 10);
      return (await import('./tty.ts')).ttySink(stream, {
        clock,
        colour: !options.env.NO_COLOR,
        colours: options.env.BUILDKIT_COLORS,
        logLines: lines >= 0 ? lines : 6,
      });
    }
    default:
      return (await import('./quiet.ts')).quietSink(stream);
  }
}
