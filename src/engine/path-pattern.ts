import { SlipwayError } from '../errors/index.ts';

/**
 * Go's path.Match: `*` and `?` do not match a slash, `[a-z]` and `[^a-z]` are sets, a backslash takes the next
 * character as it is; the whole name must match. Throws `usage` for a pattern that makes no sense.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(pattern.slice(at));
      if (set === null) throw bad(pattern);
      source += `(?!/)[${set[1]}${set[2]!.replace(/[[&~|^]/g, '\\$&')}]`;
      at += set[0].length - 1;
    } else if (char === '\\') {
      if (++at >= pattern.length) throw bad(pattern);
      source += literal(pattern[at]!);
    } else source += literal(char);
  }
  try {
    return new RegExp(`^${source.replace(/(\[\^\/\]\*)+/g, '[^/]*')}$`, 's').test(name);
  } catch (cause) {
    throw bad(pattern, cause);
  }
}

function literal(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

function bad(pattern: string, cause?: unknown): SlipwayError {
  return new SlipwayError('usage', `invalid reference pattern '${pattern}': syntax error in pattern`, {
    code: 'PATTERN_INVALID',
    cause,
  });
}
