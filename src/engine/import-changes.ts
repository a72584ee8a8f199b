import type { ParseError } from '../../grammar/ast.ts';
import { isReaderError } from '../../grammar/docker-message.ts';
import { parse, parseTrigger } from '../../grammar/parse.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ContainerConfig, Platform } from '../image/types.ts';
import { compilePlan } from '../plan/compile.ts';

/** Instructions that change nothing but the configuration; as Docker has them for `import` and `commit`. */
const ALLOWED = new Set([
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]);

const FROM = 'FROM scratch\n';

/**
 * The configuration that Dockerfile instructions (`--change`), one after the other, make of an empty one.
 *
 * @throws SlipwayError `CHANGE_INVALID` with Docker's words, which speak of no file and no line
 */
export async function configOfChanges(
  changes: readonly string[],
  platform: Platform,
): Promise<ContainerConfig> {
  if (changes.length === 0) return {};
  const text = `${FROM}${changes.join('\n')}\n`;
  const { dockerfile, errors } = parse(text);
  const [, ...instructions] = dockerfile.instructions;
  const unreadable = errors.find(({ code }) => isReaderError(code));
  if (unreadable !== undefined) throw invalid(unreadable.message);
  const forbidden = forbiddenWord(text, [
    ...instructions.filter(({ keyword }) => !ALLOWED.has(keyword)),
    ...errors.filter(({ code }) => code === 'UNKNOWN_INSTRUCTION'),
  ]);
  if (forbidden !== undefined) throw invalid(`${forbidden} is not a valid change command`);
  if (errors[0] !== undefined) throw invalid(errors[0].message);
  if (instructions.length === 0) throw invalid('file with no instructions');
  try {
    const plan = await compilePlan(dockerfile, {
      platform,
      bare: true,
      resolveImage: async () => undefined,
      parseTrigger,
      text,
    });
    const { ArgsEscaped: _onlyOfBuilds, ...config } = plan.stages[0]!.config;
    return config;
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    throw invalid(error.message.replace(/^dockerfile parse error on line \d+: /, ''), error);
  }
}

/** The first word of the first of these. */
function forbiddenWord(text: string, found: readonly Pick<ParseError, 'range'>[]): string | undefined {
  const offset = Math.min(...found.map(({ range }) => range.start.offset));
  return Number.isFinite(offset) ? /\S+/.exec(text.slice(offset))?.[0] : undefined;
}

function invalid(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('usage', message, { code: 'CHANGE_INVALID', cause });
}
