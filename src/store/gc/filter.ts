import { SlipwayError } from '../../errors/index.ts';
import type { CacheEntry } from './cache-entries.ts';

/** Its content may change while it has the same id. */
export function isMutable({ type }: CacheEntry): boolean {
  return type === 'exec.cachemount';
}

type Test = (entry: CacheEntry) => boolean;

/** The kinds of `docker buildx du`; there are entries of the last two. */
const TYPES = ['internal', 'frontend', 'source.local', 'source.git.checkout', 'exec.cachemount', 'regular'];

const TEXTS: Record<string, (entry: CacheEntry) => string | readonly string[]> = {
  id: ({ id }) => id,
  parents: ({ parents }) => parents,
  description: ({ description }) => description,
  type: ({ type }) => type,
};

const FLAGS: Record<string, Test> = {
  inuse: ({ inUse }) => inUse,
  mutable: isMutable,
  immutable: (entry) => !isMutable(entry),
  shared: ({ shared }) => shared,
  private: ({ shared }) => !shared,
};

/**
 * One filter of `builder prune` and `builder du`: `id~=PATTERN`, `type=regular`, `description!=TEXT`, `inuse`,
 * `shared=false`. `=` and `==` compare whole texts, `id=` and `~=` search for a regular expression, as buildx does.
 *
 * @throws SlipwayError `usage`
 */
export function parseFilter(text: string): Test {
  const match = /^([a-z]+)(?:(==|~=|!=|=)(.*))?$/s.exec(text);
  const [, field = '', operator, value = ''] = match ?? [];
  if (Object.hasOwn(FLAGS, field)) {
    const wanted = flagValue(operator, value, text);
    return (entry) => FLAGS[field]!(entry) === wanted;
  }
  if (!Object.hasOwn(TEXTS, field) || operator === undefined) throw invalid(text);
  if (field === 'type' && operator !== '~=' && !TYPES.includes(value)) throw invalid(text);
  const textOf = (entry: CacheEntry) => [TEXTS[field]!(entry)].flat();
  if (operator === '!=') return (entry) => !textOf(entry).includes(value);
  if (operator === '~=' || (operator === '=' && field === 'id')) {
    const pattern = regularExpression(value, text);
    return (entry) => textOf(entry).some((part) => pattern.test(part));
  }
  return (entry) => textOf(entry).includes(value);
}

function flagValue(operator: string | undefined, value: string, text: string): boolean {
  if (operator === undefined) return true;
  if (operator === '~=' || !/^(1|0|true|false)$/i.test(value)) throw invalid(text);
  const given = /^(1|true)$/i.test(value);
  return operator === '!=' ? !given : given;
}

function regularExpression(pattern: string, text: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw invalid(text, cause);
  }
}

function invalid(text: string, cause?: unknown): SlipwayError {
  return new SlipwayError('usage', `invalid filter ${JSON.stringify(text)}`, {
    code: 'FILTER_INVALID',
    hint: `Fields are ${[...Object.keys(TEXTS), ...Object.keys(FLAGS)].join(', ')} and until; operators =, != and ~=.`,
    cause,
  });
}
