import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { bytesOf } from '../sys/bytes.ts';
import type { ContextSource, IgnoreFile } from './context-source.ts';
import { openDirectoryTree } from './directory-tree.ts';
import type { FileClock } from './file-clock.ts';
import { openFingerprintIndex } from './fingerprint-index.ts';
import { gitIgnoreRules } from './git-ignore-rules.ts';
import { type ParsedIgnoreFile, parseIgnoreFile } from './ignore-file.ts';
import { createIgnoreRules } from './ignore-rules.ts';
import { fsPath, readSmallFile } from './read-file.ts';

/** Whose rules say what is part of a context, beside those of the ignore file. */
export type IgnoreFrom = 'gitignore';

/** An ignore file beyond this is a mistake. */
const IGNORE_FILE_LIMIT = 4 << 20;

export interface DirectoryContextOptions {
  /** The directory, absolute or relative to the process's. */
  root: string;
  /** For messages; `root` as given when absent. */
  description?: string;
  /** Path of the Dockerfile, if it is a file: `<it>.dockerignore` goes before the context's `.dockerignore` (SPEC I1). */
  dockerfile?: string | undefined;
  /** False for contexts to which no ignore file applies (SPEC I12). */
  ignore?: boolean;
  /** `gitignore`: what git ignores is hidden too, as long as no `!` line of the ignore file shows it again. */
  ignoreFrom?: IgnoreFrom | undefined;
  /** Where fingerprint indexes are kept; undefined remembers nothing beyond this context. */
  indexDirectory?: string | undefined;
  /**
   * Extended attributes of a file by absolute path (bytes), links not followed: only those that travel with an image.
   * Called only for files that the index does not know, so that a build that finds everything in its cache needs no
   * system calls beyond Node's. Without it, attributes count as absent.
   */
  readXattrs?: ((path: string) => Map<string, Buffer> | undefined) | undefined;
  /** What is to be expected of times and inode numbers; by default by the type of the file system. */
  clock?: FileClock | undefined;
}

/**
 * A local directory as a build context.
 *
 * @throws SlipwayError `not-found` CONTEXT_NOT_FOUND, `invalid` CONTEXT_NOT_A_DIRECTORY, `syntax` BAD_IGNORE_PATTERN
 */
export function openDirectoryContext(options: DirectoryContextOptions): ContextSource {
  const description = options.description ?? options.root;
  const root = path.resolve(options.root);
  checkDirectory(root, description);
  const ignore = options.ignore === false ? undefined : findIgnoreFile(root, options);
  const index = openFingerprintIndex(indexFile(options, root));
  const tree = openDirectoryTree({
    root: bytesOf(root),
    rules: ignore?.parsed.matcher,
    index,
    readXattrs: options.readXattrs,
    clock: options.clock,
  });
  return {
    description,
    root,
    ignoreFile: ignore?.file,
    rules: ignore && { matcher: ignore.parsed.matcher, lines: ignore.parsed.rules },
    tree,
    hiddenBy(hidden) {
      const directory = fs
        .lstatSync(fsPath(`${bytesOf(root)}/${hidden}`), { throwIfNoEntry: false })
        ?.isDirectory();
      const verdict = ignore?.parsed.matcher.verdict(hidden, directory ?? false);
      if (verdict === undefined || !verdict.hidden) return undefined;
      const rule = ignore!.parsed.rules[verdict.pattern];
      return rule === undefined ? verdict.earlier : { line: rule.line, pattern: rule.written };
    },
    close() {
      tree.close();
      index.save();
    },
  };
}

function checkDirectory(root: string, description: string): void {
  const refuse = (
    kind: 'not-found' | 'invalid' | 'denied',
    code: string,
    text: string,
    cause?: unknown,
  ): never => {
    throw new SlipwayError(kind, `unable to prepare context: path "${description}" ${text}`, { code, cause });
  };
  try {
    if (!fs.statSync(root).isDirectory()) refuse('invalid', 'CONTEXT_NOT_A_DIRECTORY', 'is not a directory');
  } catch (error) {
    if (error instanceof SlipwayError) throw error;
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR'))
      refuse('not-found', 'CONTEXT_NOT_FOUND', 'not found');
    refuse('denied', 'CONTEXT_UNREADABLE', 'cannot be read', error);
  }
}

function findIgnoreFile(
  root: string,
  { dockerfile, ignoreFrom }: DirectoryContextOptions,
): { file: IgnoreFile | undefined; parsed: ParsedIgnoreFile } | undefined {
  const earlier = ignoreFrom === 'gitignore' ? gitIgnoreRules(root) : undefined;
  const candidates = [path.join(root, '.dockerignore')];
  if (dockerfile !== undefined) candidates.unshift(`${path.resolve(dockerfile)}.dockerignore`);
  for (const candidate of candidates) {
    const content = readSmallFile(bytesOf(candidate), { what: 'ignore file', limit: IGNORE_FILE_LIMIT });
    if (content === undefined) continue;
    const inside = path.relative(root, candidate);
    const name = inside.startsWith('../') ? candidate : inside;
    return {
      file: { name, text: content.toString('utf8') },
      parsed: parseIgnoreFile(name, content, earlier),
    };
  }
  if (earlier === undefined) return undefined;
  return { file: undefined, parsed: { rules: [], matcher: createIgnoreRules([], earlier) } };
}

/** Records made without attributes must not serve a context that asks for them. */
function indexFile(options: DirectoryContextOptions, root: string): string | undefined {
  if (options.indexDirectory === undefined) return undefined;
  const id = createHash('sha256').update(fs.realpathSync(root)).digest('hex').slice(0, 32);
  return path.join(
    options.indexDirectory,
    options.readXattrs === undefined ? `${id}-plain.index` : `${id}.index`,
  );
}
