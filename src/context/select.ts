import { about } from '../errors/subject.ts';
import { type BytePath, bytesOf } from '../sys/bytes.ts';
import { baseName, clampPath } from './clean-path.ts';
import type { FileNode, FileTree } from './file-tree.ts';
import { hasWildcards } from './glob-syntax.ts';
import { parseExcludes } from './ignore-file.ts';
import { compilePattern } from './ignore-pattern.ts';
import { createIgnoreRules, type IgnoreRules } from './ignore-rules.ts';
import { matchPaths } from './match-paths.ts';
import { newFileCounter } from './new-files.ts';
import { resolvePath } from './resolve-path.ts';
import type { SelectedSource, Selection, SelectionRequest } from './selection.ts';
import { sourceNotFound } from './source-not-found.ts';
import { startTimeSlice, type TimeSlice } from './time-slice.ts';
import { walkEntries } from './walk-entries.ts';

/**
 * Finds what the sources of COPY, ADD or a bind mount name in a tree (SPEC 1.11: C6 to C9, C14, C15, `--exclude`,
 * `--parents`). Entries come parents first, names sorted bytewise.
 *
 * @throws SlipwayError `not-found` SOURCE_NOT_FOUND, `syntax` BAD_PATTERN or BAD_IGNORE_PATTERN, `invalid`
 * SYMLINK_LOOP, `canceled`
 */
export async function selectSources(tree: FileTree, request: SelectionRequest): Promise<Selection> {
  const excludes = (request.exclude ?? []).map(bytesOf);
  const { onNewFiles } = request;
  const job: Job = {
    tree,
    request,
    excludes: excludes.length === 0 ? undefined : parseExcludes(excludes),
    slice: startTimeSlice(request.signal),
    // Only such a tree keeps with its nodes what it knows.
    meet: onNewFiles && tree.sha256All && newFileCounter(tree, onNewFiles),
  };
  const sources: SelectedSource[] = [];
  const select = request.parents === true ? selectParents : selectSource;
  for (const [index, source] of request.sources.entries()) {
    try {
      sources.push(...(await select(job, source)));
    } catch (error) {
      throw about(error, () => ({ part: 'word', index }));
    }
  }
  return { sources };
}

interface Job {
  tree: FileTree;
  request: SelectionRequest;
  excludes: IgnoreRules | undefined;
  slice: TimeSlice;
  /** Hears of each name of the tree that is selected. */
  meet: ((path: BytePath, node: FileNode) => void) | undefined;
}

async function selectSource(job: Job, source: string): Promise<SelectedSource[]> {
  const { tree, request, excludes } = job;
  const path = clampPath(bytesOf(source));
  const wild = hasWildcards(path);
  const selected: SelectedSource[] = [];
  for (const match of await expand(job, source, path)) {
    const { path: resolved, node } = resolvePath(tree, match, { final: true });
    if (node === undefined) throw sourceNotFound(tree, { source, path: match, request });
    const name = baseName(match);
    const found = { source, path: resolved, name, node };
    if (node.type === 'directory') {
      const root = request.withRoot === true ? [{ path: '', node }] : [];
      const below = await walkEntries(job, resolved, { excludes });
      const entries = root.length === 0 ? below : [...root, ...below];
      selected.push({ ...found, entries, whole: excludes === undefined });
      // The reference says that --exclude also holds for files that a wildcard matched.
    } else if (!wild || excludes === undefined || !excludes.hides(name, excludes.root)) {
      job.meet?.(resolved, node);
      selected.push({ ...found, entries: [{ path: '', node }] });
    }
  }
  return selected;
}

/** A wildcard may match nothing (SPEC C9), but the directory in front of it must be there. */
async function expand(job: Job, source: string, path: BytePath): Promise<BytePath[]> {
  if (!hasWildcards(path)) return [path];
  const matched = await matchPaths(job.tree, path, job.slice);
  if ('found' in matched) return matched.found;
  throw sourceNotFound(job.tree, { source, path: matched.missing, request: job.request });
}

/** `a/./b/c`: the pivot says that `b/c` is kept; without one the whole path is. Links are not followed below it. */
async function selectParents(job: Job, source: string): Promise<SelectedSource[]> {
  const { tree, request, excludes } = job;
  const bytes = bytesOf(source);
  const pivot = bytes.indexOf('/./');
  const base = pivot < 0 ? '' : clampPath(bytes.slice(0, pivot));
  const pattern = clampPath(pivot < 0 ? bytes : bytes.slice(pivot + 3));
  const wild = hasWildcards(base) || hasWildcards(pattern);
  const includes = pattern === '' ? undefined : createIgnoreRules([compilePattern(pattern)]);
  const selected: SelectedSource[] = [];
  for (const match of await expand(job, source, base)) {
    const { path, node } = resolvePath(tree, match, { final: true });
    if (node?.type !== 'directory') continue;
    const entries = await walkEntries(job, path, { excludes, includes });
    if (entries.length > 0 || pattern === '') selected.push({ source, path, name: '', node, entries });
  }
  const whole = [base, pattern].filter((part) => part !== '').join('/');
  const excluded = (): boolean =>
    resolvePath(tree, whole, { final: false }).node !== undefined && excludes !== undefined;
  if (selected.length === 0 && !wild && !excluded())
    throw sourceNotFound(tree, { source, path: whole, request });
  return selected;
}
