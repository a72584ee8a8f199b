import { SlipwayError } from '../errors/index.ts';

/** `name=value` texts of `--build-context`. Throws `usage` BUILD_CONTEXT_INVALID, in Docker's words. */
export function buildContexts(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)];
      throw new SlipwayError('usage', `invalid context value: ${text}, expected key=value`, {
        code: 'BUILD_CONTEXT_INVALID',
      });
    }),
  );
}
