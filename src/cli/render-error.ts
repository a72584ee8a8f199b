import { excerpt, SlipwayError } from '../errors/index.ts';
import { safeLines } from '../progress/safe-text.ts';

/** How a command ended that could not do its work. */
export interface RenderedError {
  /** For standard error, with its line feed. */
  text: string;
  exitCode: number;
}

export interface ErrorContext {
  /** The command in full: `slipway image build`. */
  path: string;
  /** Adds where the error was thrown, and its causes. */
  debug: boolean;
}

/** What `docker run` exits with for programs that cannot be started. */
const START_EXIT_CODES: Record<string, number> = { EXEC_NOT_FOUND: 127, EXEC_DENIED: 126, EXEC_FORMAT: 126 };

/**
 * An error in Docker's words: the excerpt of the file it lies in, the line that names it, and what to do about it.
 * Stacks are for `--debug`.
 */
export function renderError(error: unknown, context: ErrorContext): RenderedError {
  const errors = error instanceof AggregateError ? error.errors : [error];
  const rendered = errors.map((one: unknown) => render(one, context));
  const stack = context.debug ? stackText(error) : '';
  return {
    text: rendered.map(({ text }) => text).join('') + stack,
    exitCode: rendered[0]?.exitCode ?? 1,
  };
}

function render(error: unknown, { path, debug }: ErrorContext): RenderedError {
  const command = path.slice(path.lastIndexOf(' ') + 1);
  if (!(error instanceof SlipwayError)) {
    const message = error instanceof Error ? error.message : String(error);
    const more = debug ? '' : `Run it again with 'slipway --debug' in front of the command to see where.\n`;
    const text = `slipway: this should not have happened: ${safeLines(message)}\n${more}`;
    return { text, exitCode: command === 'run' ? 125 : 1 };
  }
  const message = safeLines(error.message);
  const hint = error.hint === undefined ? '' : `Hint: ${safeLines(error.hint)}\n`;
  const place = error.location === undefined ? '' : excerpt(error.location);
  if (command === 'build') {
    return { text: `${place}ERROR: ${buildPrefix(error)}${message}\n${hint}`, exitCode: 1 };
  }
  if (command === 'run') {
    const exitCode = START_EXIT_CODES[error.code] ?? 125;
    return { text: `${place}slipway: ${message}\n${hint}\nSee '${path} --help'.\n`, exitCode };
  }
  return { text: `${place}Error: ${message}\n${hint}`, exitCode: 1 };
}

/** buildx says where on its way a build failed. */
function buildPrefix(error: SlipwayError): string {
  if (error.kind === 'usage') return '';
  if (error.message.startsWith('unable to prepare context')) return 'failed to build: ';
  return 'failed to build: failed to solve: ';
}

function stackText(error: unknown): string {
  let text = '';
  for (let at = error; at instanceof Error; at = at.cause) {
    text += `${text === '' ? '' : 'caused by: '}${safeLines(at.stack ?? at.message)}\n`;
  }
  return text;
}
