import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { type BytePath, bytesOf, textOf } from '../sys/bytes.ts';
import { joinPath } from './clean-path.ts';
import type { EarlierRules, RuleLine } from './earlier-rules.ts';
import { type GitIgnoreRule, parseGitIgnore } from './git-ignore-file.ts';
import { openRegularFile } from './read-file.ts';

/** A `.gitignore` beyond this is a mistake. */
const LIMIT = 4 << 20;

/** The rules of one `.gitignore`. */
interface GitIgnoreFile {
  /** For people. */
  name: string;
  /** Names that lead from the file's directory to the context's root: of a repository around it. */
  above: BytePath[];
  /** How many names of a path in the context lead to the file's directory. */
  depth: number;
  rules: GitIgnoreRule[];
}

interface State {
  /** Set below what is hidden: nothing there can be shown again. */
  hiddenBy: RuleLine | undefined;
  /** Those that are in force, the innermost last. */
  files: readonly GitIgnoreFile[];
}

/**
 * What git ignores in a directory: by the `.gitignore` files in it, and in the directories above it up to the root of
 * the repository that it is part of. `.git` itself is hidden everywhere. Files that are the user's alone
 * (`core.excludesFile`, `.git/info/exclude`) do not count, so that everybody gets the same image; and neither does
 * whether a file is tracked.
 *
 * @param root absolute path of the context
 */
export function gitIgnoreRules(root: string): EarlierRules {
  const readIn = (directory: BytePath): GitIgnoreFile[] => {
    const name = joinPath(directory, '.gitignore');
    const rules = read(`${bytesOf(root)}/${name}`);
    if (rules === undefined) return [];
    return [{ name: textOf(name), above: [], depth: namesOf(directory).length, rules }];
  };
  const top: State = { hiddenBy: undefined, files: [...aboveRoot(root), ...readIn('')] };

  const decide = (path: BytePath, directory: boolean, state: State): { hidden: boolean; by?: RuleLine } => {
    if (state.hiddenBy !== undefined) return { hidden: true, by: state.hiddenBy };
    const names = namesOf(path);
    if (names.at(-1) === '.git') return { hidden: true, by: { file: 'git', line: 0, pattern: '.git' } };
    for (const file of state.files.toReversed()) {
      const below = [...file.above, ...names.slice(file.depth)];
      for (const rule of file.rules.toReversed()) {
        if (rule.directoriesOnly && !directory) continue;
        if (!rule.match.matches(rule.anywhere ? below.slice(-1) : below)) continue;
        return {
          hidden: !rule.exception,
          by: { file: file.name, line: rule.line, pattern: rule.written },
        };
      }
    }
    return { hidden: false };
  };

  return {
    root: top,
    decide: (path, directory, parent) => decide(path, directory, parent as State),
    enter(directory, parent) {
      const state = parent as State;
      const { hidden, by } = decide(directory, true, state);
      if (hidden) return { hiddenBy: by, files: [] } satisfies State;
      return { hiddenBy: undefined, files: [...state.files, ...readIn(directory)] } satisfies State;
    },
  };
}

/** The `.gitignore` files between the context and the root of a repository around it, the outermost first. */
function aboveRoot(root: string): GitIgnoreFile[] {
  const files: GitIgnoreFile[] = [];
  let above: BytePath[] = [];
  for (let directory = root; ; directory = path.dirname(directory)) {
    if (directory !== root) {
      const name = path.join(directory, '.gitignore');
      const rules = read(bytesOf(name));
      if (rules !== undefined) files.unshift({ name: path.relative(root, name), above, depth: 0, rules });
    }
    if (fs.existsSync(path.join(directory, '.git'))) return files;
    if (directory === path.dirname(directory)) return [];
    above = [bytesOf(path.basename(directory)), ...above];
  }
}

/** As git, links are not followed and anything but a file is no ignore file. */
function read(file: BytePath): GitIgnoreRule[] | undefined {
  let opened: ReturnType<typeof openRegularFile>;
  try {
    opened = openRegularFile(file, { follow: false });
  } catch {
    return undefined;
  }
  try {
    const size = Number(opened.stat.size);
    if (size > LIMIT) {
      throw new SlipwayError('exhausted', `${textOf(file)} is larger than ${LIMIT} bytes`, {
        code: 'FILE_TOO_LARGE',
      });
    }
    return parseGitIgnore(fs.readFileSync(opened.descriptor));
  } finally {
    fs.closeSync(opened.descriptor);
  }
}

function namesOf(path: BytePath): BytePath[] {
  return path === '' ? [] : path.split('/');
}
