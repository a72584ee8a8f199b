import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { baseName, cleanPath, joinPath, parentOf } from './clean-path.ts';
import type { FileTree } from './file-tree.ts';
import { resolvePath } from './resolve-path.ts';
import type { SelectionRequest } from './selection.ts';

/** How many names are suggested at most. */
const SUGGESTIONS = 3;

/** The error for a source that is not there (SPEC C10), with the likeliest reason as its hint. */
export function sourceNotFound(
  tree: FileTree,
  found: { source: string; path: BytePath; request: SelectionRequest },
): SlipwayError {
  const { source, path, request } = found;
  const hints = [
    absentHint(request),
    hiddenHint(path, request),
    linkHint(tree, path, request),
    clampHint(source, path, request),
    nearHint(tree, path),
  ];
  return new SlipwayError('not-found', `"/${textOf(path)}": not found in ${request.where}`, {
    code: 'SOURCE_NOT_FOUND',
    hint: hints.filter((hint) => hint !== undefined).join(' ') || undefined,
  });
}

/** That error as a build gives it: behind the plain words stands what scripts look for in BuildKit's output. */
export function inBuildKitsWords(error: unknown, where: string): unknown {
  if (!(error instanceof SlipwayError) || error.code !== 'SOURCE_NOT_FOUND') return error;
  const { message } = error;
  const ref = where.replace(/^the /, '').replaceAll(' ', '-');
  const missing = message.slice(0, -` in ${where}`.length);
  return new SlipwayError(
    error.kind,
    `${message} (failed to compute cache key: failed to calculate checksum of ref ${ref}: ${missing})`,
    error.details(),
  );
}

function absentHint({ context }: SelectionRequest): string | undefined {
  if (context === undefined || context.root !== undefined) return undefined;
  return 'There is no build context: the Dockerfile came alone. Pass a directory, an archive or a git repository.';
}

function hiddenHint(path: BytePath, request: SelectionRequest): string | undefined {
  const rule = request.context?.hiddenBy(path);
  if (rule === undefined) return undefined;
  const file = rule.file ?? request.context?.ignoreFile?.name ?? 'the ignore file';
  return rule.line === 0
    ? `"${rule.pattern}" is never part of a context with --ignore-from=gitignore.`
    : `Line ${rule.line} of ${file} ("${rule.pattern}") hides it.`;
}

function linkHint(tree: FileTree, path: BytePath, request: SelectionRequest): string | undefined {
  const node = resolvePath(tree, path, { final: false }).node;
  if (node?.type !== 'symlink') return undefined;
  return `It is a symbolic link to "${textOf(node.link ?? '')}", which does not exist inside ${request.where}.`;
}

function clampHint(source: string, path: BytePath, request: SelectionRequest): string | undefined {
  if (!/^\.\.(\/|$)/.test(cleanPath(source))) return undefined;
  return `"${textOf(Buffer.from(source).toString('latin1'))}" cannot leave ${request.where}: it means "${textOf(path)}" there.`;
}

function nearHint(tree: FileTree, path: BytePath): string | undefined {
  let directory = parentOf(path);
  let missing = path;
  while (directory !== '' && resolvePath(tree, directory, { final: true }).node?.type !== 'directory') {
    missing = directory;
    directory = parentOf(directory);
  }
  const name = baseName(missing);
  const names = tree.readdir(resolvePath(tree, directory, { final: true }).path);
  const near = names
    .map((other) => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }))
    .filter((one) => one.other !== name && one.distance <= Math.max(1, Math.floor(name.length / 4)))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS)
    .map((one) => `"${textOf(joinPath(directory, one.other))}"`);
  return near.length === 0 ? undefined : `Did you mean ${near.join(' or ')}?`;
}

/** Edits between two names, a swap of neighbours counting as one; a great number where their lengths alone rule them out. */
export function distance(a: string, b: string): number {
  const FAR = 1000;
  if (Math.abs(a.length - b.length) > 4 || a.length > 200) return FAR;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const edits = [row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)];
      next.push(Math.min(...edits, ...(swapped ? [before[j - 2]! + 1] : [])));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
