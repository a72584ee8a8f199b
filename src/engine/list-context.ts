import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { clampPath, joinPath } from '../context/clean-path.ts';
import type { ContextSource } from '../context/context-source.ts';
import type { IgnoreFrom } from '../context/directory-context.ts';
import type { RuleLine } from '../context/earlier-rules.ts';
import type { FileNode } from '../context/file-tree.ts';
import { openContext } from '../context/open-context.ts';
import { fsPath } from '../context/read-file.ts';
import { selectSources } from '../context/select.ts';
import type { SelectionRequest } from '../context/selection.ts';
import { SlipwayError } from '../errors/index.ts';
import type { PlanNode } from '../plan/types.ts';
import { type BytePath, bytesOf, textOf } from '../sys/bytes.ts';
import { plan } from './plan.ts';

export interface ListContextRequest {
  /** A directory, relative to `cwd`. */
  context: string;
  /** As for a build. */
  file?: string | undefined;
  target?: string | undefined;
  buildArgs?: Readonly<Record<string, string>>;
  ignoreFrom?: IgnoreFrom | undefined;
  /** Absolute. */
  cwd: string;
  stdin: AsyncIterable<Buffer>;
  /** Paths in the context to be explained. */
  why?: readonly string[];
}

/** An instruction that reads from the context. */
export interface ContextReader {
  /** Line of the Dockerfile, from 1; 0 for one that came from elsewhere. */
  line: number;
  instruction: string;
}

/** A name that a build would read. */
export interface ListedName {
  /** For people: bytes that are no text are replaced. */
  path: string;
  type: FileNode['type'];
  /** Bytes of a file; of a directory those of the files in it that are read. */
  size: number;
  /** Lines of the instructions that read it. */
  lines: number[];
}

/** Why a path is read or is not. */
export interface PathReason {
  path: string;
  exists: boolean;
  hidden: boolean;
  /** The rule that had the last word, if one matched; `file` is absent for `ignoreFile` of the listing. */
  rule?: RuleLine;
  readBy: ContextReader[];
}

/** What a build of a Dockerfile would read of its context. Plain data. */
export interface ContextListing {
  context: string;
  dockerfile: string;
  ignoreFile?: string;
  readers: ContextReader[];
  /** Sorted; parents before what is in them. */
  names: ListedName[];
  totals: { files: number; directories: number; bytes: number };
  /** Rules of the ignore file that match nothing, apart from what is below directories that others hide. */
  unused: RuleLine[];
  /** Sources that are not there. */
  problems: (ContextReader & { message: string; hint?: string })[];
  why: PathReason[];
}

/**
 * Finds out what a build would read of a context, without building: no store, no worker. Errors as `openContext` and
 * `plan`; a source that is not there is told in `problems`.
 */
export async function listContext(request: ListContextRequest): Promise<ContextListing> {
  const { context, dockerfile } = await openContext({
    argument: request.context,
    file: request.file,
    cwd: request.cwd,
    stdin: request.stdin,
    temporaryDirectory: tmpdir(),
    ignoreFrom: request.ignoreFrom,
  });
  try {
    const planned = await plan(dockerfile.content.toString('utf8'), {
      file: dockerfile.name,
      target: request.target,
      ...(request.buildArgs === undefined ? {} : { buildArgs: request.buildArgs }),
    });
    const reads = planned.nodes.flatMap(readsOf);
    const listing = await collect(context, reads);
    return {
      context: context.description,
      dockerfile: dockerfile.name,
      ...(context.ignoreFile === undefined ? {} : { ignoreFile: context.ignoreFile.name }),
      readers: reads.map(({ reader }) => reader),
      names: listing.names,
      totals: totalsOf(listing.names),
      unused: unusedRules(context),
      problems: listing.problems,
      why: (request.why ?? []).map((path) => reasonFor(context, path, listing.readBy)),
    };
  } finally {
    context.close();
  }
}

interface Read {
  reader: ContextReader;
  selection: Pick<SelectionRequest, 'sources' | 'exclude' | 'parents' | 'withRoot'>;
}

function readsOf(node: PlanNode): Read[] {
  const reader = { line: node.range?.start.line ?? 0, instruction: node.title };
  const { operation } = node;
  if (operation.kind === 'copy') {
    const { from, sources, exclude, parents } = operation;
    if (from.kind !== 'context' || from.name !== undefined || sources.length === 0) return [];
    return [{ reader, selection: { sources, exclude, parents } }];
  }
  if (operation.kind !== 'run') return [];
  return operation.mounts.flatMap((mount) => {
    if ((mount.type !== 'bind' && mount.type !== 'cache') || mount.from?.kind !== 'context') return [];
    if (mount.from.name !== undefined) return [];
    return [{ reader, selection: { sources: [mount.source], withRoot: true } }];
  });
}

interface Collected {
  names: ListedName[];
  readBy: Map<BytePath, ContextReader[]>;
  problems: ContextListing['problems'];
}

async function collect(context: ContextSource, reads: readonly Read[]): Promise<Collected> {
  const nodes = new Map<BytePath, FileNode>();
  const readBy = new Map<BytePath, ContextReader[]>();
  const problems: ContextListing['problems'] = [];
  for (const { reader, selection } of reads) {
    try {
      const request = { ...selection, where: 'the build context', context };
      const { sources } = await selectSources(context.tree, request);
      for (const source of sources) {
        for (const { path, node } of source.entries) {
          const name = path === '' ? source.path : joinPath(source.path, path);
          nodes.set(name, node);
          const readers = readBy.get(name);
          if (readers === undefined) readBy.set(name, [reader]);
          else if (readers.at(-1) !== reader) readers.push(reader);
        }
      }
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.kind !== 'not-found') throw error;
      const { message, hint } = error;
      problems.push({ ...reader, message, ...(hint === undefined ? {} : { hint }) });
    }
  }
  const sizes = sizesOf(nodes);
  const names = [...nodes.keys()].sort(byElement).map((path) => ({
    path: textOf(path) || '.',
    type: nodes.get(path)!.type,
    size: sizes.get(path)!,
    lines: [...new Set(readBy.get(path)!.map(({ line }) => line))],
  }));
  return { names, readBy, problems };
}

/** A directory comes before what is in it, all of that before the next name. */
function byElement(a: BytePath, b: BytePath): number {
  const [x, y] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Names of one inode are read once. */
function sizesOf(nodes: ReadonlyMap<BytePath, FileNode>): Map<BytePath, number> {
  const sizes = new Map<BytePath, number>([...nodes.keys()].map((path) => [path, 0]));
  for (const [path, { type, size }] of nodes) {
    if (type !== 'file') continue;
    sizes.set(path, size);
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const directory = path.slice(0, end);
      const sum = sizes.get(directory);
      if (sum !== undefined) sizes.set(directory, sum + size);
    }
  }
  return sizes;
}

function totalsOf(names: readonly ListedName[]): ContextListing['totals'] {
  const totals = { files: 0, directories: 0, bytes: 0 };
  for (const { type, size } of names) {
    if (type === 'directory') totals.directories++;
    else totals.files++;
    if (type === 'file') totals.bytes += size;
  }
  return totals;
}

/** Tries every pattern on every name that is looked at; what is below a hidden directory is not. */
function unusedRules({ root, rules }: ContextSource): RuleLine[] {
  if (root === undefined || rules === undefined) return [];
  const { matcher, lines } = rules;
  const waiting = new Set(lines);
  const visit = (directory: BytePath, state: typeof matcher.root): void => {
    const full = fsPath(directory === '' ? bytesOf(root) : `${bytesOf(root)}/${directory}`);
    let entries: fs.Dirent[];
    try {
      entries = fs.readdirSync(full, { withFileTypes: true, encoding: 'latin1' });
    } catch {
      return;
    }
    for (const entry of entries) {
      const path = joinPath(directory, entry.name);
      for (const rule of waiting) if (rule.matches(path)) waiting.delete(rule);
      if (waiting.size === 0) return;
      if (!entry.isDirectory()) continue;
      if (matcher.hides(path, state, true) && !matcher.mayShowBelow(path)) continue;
      visit(path, matcher.enter(path, state));
    }
  };
  visit('', matcher.root);
  return [...waiting].map(({ line, written }) => ({ line, pattern: written }));
}

function reasonFor(
  { root, rules }: ContextSource,
  given: string,
  readBy: ReadonlyMap<BytePath, ContextReader[]>,
): PathReason {
  const path = clampPath(bytesOf(given));
  const stat =
    root === undefined
      ? undefined
      : fs.lstatSync(fsPath(`${bytesOf(root)}/${path}`), { throwIfNoEntry: false });
  const verdict = path === '' ? undefined : rules?.matcher.verdict(path, stat?.isDirectory() ?? false);
  const line = rules?.lines[verdict?.pattern ?? -1];
  const rule = line === undefined ? verdict?.earlier : { line: line.line, pattern: line.written };
  return {
    path: textOf(path) || '.',
    exists: stat !== undefined,
    hidden: verdict?.hidden ?? false,
    ...(rule === undefined ? {} : { rule }),
    readBy: readBy.get(path) ?? [],
  };
}
