import { type BytePath, textOf } from '../sys/bytes.ts';
import { compileWildmatch, type Wildmatch } from './wildmatch.ts';

/** A line of a `.gitignore`. */
export interface GitIgnoreRule {
  /** From 1. */
  line: number;
  /** The line, for people. */
  written: string;
  /** `!pattern`. */
  exception: boolean;
  /** A trailing slash: matches directories alone. */
  directoriesOnly: boolean;
  /** No slash but at the end: matches a name wherever it is. Otherwise a path from the file's directory. */
  anywhere: boolean;
  match: Wildmatch;
}

/** Reads a `.gitignore` by the rules of gitignore(5). Lines that can match nothing are left out. */
export function parseGitIgnore(content: Buffer): GitIgnoreRule[] {
  const rules: GitIgnoreRule[] = [];
  const text = content.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  for (const [index, raw] of text.split('\n').entries()) {
    const line = trimEnd(raw.replace(/\r$/, ''));
    if (line === '' || line.startsWith('#')) continue;
    const exception = line.startsWith('!');
    let pattern: BytePath = exception ? line.slice(1) : line;
    const directoriesOnly = pattern.endsWith('/');
    if (directoriesOnly) pattern = pattern.slice(0, -1);
    const anywhere = !pattern.includes('/');
    if (pattern.startsWith('/')) pattern = pattern.slice(1);
    const match = pattern === '' ? undefined : anywhere ? compileWildmatch(pattern) : compilePath(pattern);
    if (match === undefined) continue;
    rules.push({ line: index + 1, written: textOf(line), exception, directoriesOnly, anywhere, match });
  }
  return rules;
}

/**
 * Of a path git compares what stands in front of the first wildcard by itself, and takes the rest for a pattern of its
 * own: a `**` behind `foo/bar` is a whole element then, which its documents do not say (dir.c, match_pathname).
 */
function compilePath(pattern: BytePath): Wildmatch | undefined {
  const plain = /^[^*?[\\]*/.exec(pattern)![0];
  if (!pattern.startsWith('**', plain.length) || plain === '' || plain.endsWith('/'))
    return compileWildmatch(pattern);
  const rest = compileWildmatch(pattern.slice(plain.length));
  return (
    rest && {
      matches(names) {
        const path = names.join('/');
        return path.startsWith(plain) && rest.matches(path.slice(plain.length).split('/'));
      },
    }
  );
}

/** Blanks at the end go, unless a backslash keeps them. */
function trimEnd(line: BytePath): BytePath {
  let end = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === ' ') continue;
    end = at + 1;
  }
  return line.slice(0, Math.min(end, line.length));
}
