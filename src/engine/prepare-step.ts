import { digestSelection } from '../cache/content-digest.ts';
import { type CommonParts, copyParts, runParts, workdirParts } from '../cache/step-parts.ts';
import type { ContextSource } from '../context/context-source.ts';
import type { FileTree } from '../context/file-tree.ts';
import { selectSources } from '../context/select.ts';
import type { Selection, SelectionRequest } from '../context/selection.ts';
import { inBuildKitsWords } from '../context/source-not-found.ts';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { about } from '../errors/subject.ts';
import type { RunSettings, SecretValue } from '../execute/executor.ts';
import type { Platform } from '../image/types.ts';
import type { CopyOperation, FileSource, PlanNode, RunOperation } from '../plan/types.ts';
import { fetched, layerNames, type PreparedStep, type PrepareStep, type Snapshot } from '../solve/types.ts';
import { selectedSources } from './selected-sources.ts';
import type { FetchedSources } from './sources/fetched-sources.ts';
import type { AddWork, SelectedFiles } from './sources/prepare-add.ts';

export interface PrepareOptions {
  /** The build context, and named ones by name. */
  context: (name: string | undefined) => Promise<ContextSource>;
  /** Runs a selection of files of the context or a named one, and tells of it. */
  loading: (name: string | undefined, select: () => Promise<Selection>) => Promise<Selection>;
  /** What ADD fetches. */
  fetched: () => Promise<FetchedSources>;
  /** Remembered digests of what was selected from commits. */
  remembered: AddWork['remembered'];
  /** The merged files of a snapshot, all of whose digests are known. */
  treeOf: (snapshot: Snapshot) => Promise<FileTree>;
  /** Remembered digests of what a selector chose from a snapshot. */
  contents: {
    get(snapshot: Snapshot, selector: string): string | undefined | Promise<string | undefined>;
    put(snapshot: Snapshot, selector: string, digest: string): void;
    /** A step is going to use these files: what was only believed of them is checked. */
    check?(snapshot: Snapshot, selector: string, digest: () => Promise<string>): Promise<void>;
  };
  platformOf: (node: PlanNode) => Platform;
  /** SOURCE_DATE_EPOCH, where it bounds times in layers. */
  epoch: number | undefined;
  /** COPY and ADD from a context give modes as git knows them (`normalMode`). */
  normalizeModes?: boolean | undefined;
  /** What a RUN that has to run may see of the build's secrets. */
  secretsOf: (operation: RunOperation) => Promise<SecretValue[]>;
  /** Makes the ssh agents ready that a RUN mounts, and gives the ids of those that there are. */
  agentsOf: (operation: RunOperation) => Promise<string[]>;
  /** Told of a RUN that has to run, before it does: its cache mounts may be elsewhere. */
  fillMounts?: ((operation: RunOperation) => Promise<void>) | undefined;
  /**
   * Called when a step will probably have to run which will take several threads: a while before it does, and again
   * soon before.
   */
  expectRun?: ((when: 'later' | 'soon') => void) | undefined;
  /** For every RUN. */
  settings: RunSettings;
  signal: AbortSignal;
}

/** Makes steps ready for the scheduler: selects their files, digests them and names the parts of their keys. */
export function stepPreparer(options: PrepareOptions): PrepareStep {
  return async (node, inputs) => {
    const { operation } = node;
    const common: CommonParts = { platform: options.platformOf(node), epoch: options.epoch };
    switch (operation.kind) {
      case 'run':
        return prepareRun(operation, inputs, { ...options, common });
      case 'copy':
        return prepareCopy(operation, inputs, { ...options, common });
      case 'workdir':
        return {
          parts: workdirParts(operation, common),
          step: async () => ({ kind: 'workdir', operation }),
        };
      default:
        throw unexpected(node);
    }
  };
}

async function prepareRun(
  operation: RunOperation,
  inputs: Map<string, Snapshot>,
  options: PrepareOptions & { common: CommonParts },
): Promise<PreparedStep> {
  const contents = new Map<number, string>();
  const files = new Map<number, SelectedFiles>();
  for (const [index, mount] of operation.mounts.entries()) {
    if ((mount.type !== 'bind' && mount.type !== 'cache') || mount.from === undefined) continue;
    const selected = await selectFiles({
      from: mount.from,
      request: { sources: [mount.source], withRoot: true },
      digest: { ignoreOwner: false, ignoreMode: false },
      pack: false,
      inputs,
      options,
    }).catch((error: unknown) => {
      throw about(error, () => ({ part: 'flag', name: 'mount', index }));
    });
    files.set(index, selected);
    // What a cache mount holds is no part of the key, and so what it was filled from is not (M13).
    if (mount.type === 'bind') contents.set(index, selected.digest);
  }
  return {
    parts: runParts(operation, contents, options.common, options.settings),
    step: async () => {
      await options.fillMounts?.(operation);
      const sources = await Promise.all(
        [...files].map(async ([mount, selected]) => ({ mount, source: await selected.source() })),
      );
      const [secrets, agents] = await Promise.all([
        options.secretsOf(operation),
        options.agentsOf(operation),
      ]);
      return {
        kind: 'run',
        operation,
        platform: options.common.platform,
        sources,
        secrets,
        agents,
        settings: options.settings,
      };
    },
  };
}

async function prepareCopy(
  operation: CopyOperation,
  inputs: Map<string, Snapshot>,
  options: PrepareOptions & { common: CommonParts },
): Promise<PreparedStep> {
  const { sources, exclude, parents, chown, chmod } = operation;
  const work: SelectWork = {
    from: operation.from,
    request: { sources, exclude, parents },
    digest: {
      ignoreOwner: chown !== undefined,
      // A symbolic one builds on the modes that there are.
      ignoreMode: chmod !== undefined && /^[0-7]+$/.test(chmod),
      normalizeModes: options.normalizeModes,
    },
    pack: true,
    inputs,
    options,
  };
  const selected =
    operation.remotes === undefined ? await selectFiles(work) : await selectFetched(operation, work);
  return {
    parts: copyParts(operation, selected.digest, options.common),
    step: async () => ({ kind: 'copy', operation, source: await selected.source() }),
  };
}

/** ADD of remote sources, among them perhaps local ones. */
async function selectFetched(operation: CopyOperation, work: SelectWork): Promise<SelectedFiles> {
  const { selectAdd } = await import('./sources/prepare-add.ts');
  const { fetched, remembered } = work.options;
  return selectAdd({
    operation,
    fetched,
    remembered,
    select: (sources, from) => {
      const part = { ...work, request: { ...work.request, sources } };
      return from === undefined ? selectFiles(part) : selectFromContext(from, part);
    },
  });
}

interface SelectWork {
  from: FileSource;
  request: Pick<SelectionRequest, 'sources' | 'exclude' | 'parents' | 'withRoot'>;
  digest: { ignoreOwner: boolean; ignoreMode: boolean; normalizeModes?: boolean | undefined };
  /** Whether files of a large source may be packed: sources of mounts travel as they are. */
  pack: boolean;
  inputs: Map<string, Snapshot>;
  options: PrepareOptions;
}

async function selectFiles(work: SelectWork): Promise<SelectedFiles> {
  const { from, request, options } = work;
  if (request.sources.length === 0) return { digest: '', source: async () => ({ kind: 'none' }) };
  return from.kind === 'context'
    ? selectFromContext(await options.context(from.name), work).catch(explainPath)
    : selectFromSnapshot(work.inputs.get(from.node)!, work);
}

async function select(tree: FileTree, request: SelectionRequest): Promise<Selection> {
  return selectSources(tree, request).catch((error: unknown) => {
    throw inBuildKitsWords(error, request.where);
  });
}

async function selectFromContext(context: ContextSource, work: SelectWork): Promise<SelectedFiles> {
  const { request, digest, options } = work;
  const { tree, root } = context;
  const { expectRun, signal } = options;
  let hasNewFiles = false;
  const onNewFiles = (): void => {
    hasNewFiles = true;
    expectRun?.('later');
  };
  const chosen = { ...request, where: 'the build context', context, onNewFiles, signal };
  const { from } = work;
  const selection =
    from.kind === 'context'
      ? await options.loading(from.name, () => select(tree, chosen))
      : await select(tree, chosen);
  return {
    digest: await digestSelection(tree, selection, {
      ...digest,
      normalizeModes: digest.normalizeModes ?? false,
      signal,
      onRead: hasNewFiles ? () => expectRun?.('soon') : undefined,
    }),
    source: async () => {
      if (root === undefined) return { kind: 'none' };
      const asked = { normalizeModes: digest.normalizeModes, pack: work.pack };
      return { kind: 'directory', path: root, sources: selectedSources(tree, selection, asked) };
    },
  };
}

/** The kernel takes paths of up to 4095 bytes; trees that were made step by step may be deeper. */
function explainPath(error: unknown): never {
  if (!isErrno(error, 'ENAMETOOLONG')) throw error;
  throw new SlipwayError('unsupported', 'the build context has a path that is too long for this system', {
    code: 'PATH_TOO_LONG',
    hint: 'Leave that directory out in .dockerignore, or move the context to a shorter path.',
    cause: error,
  });
}

async function selectFromSnapshot(snapshot: Snapshot, work: SelectWork): Promise<SelectedFiles> {
  const { request, options } = work;
  let chosen: { tree: FileTree; selection: Selection } | undefined;
  const choose = async (): Promise<{ tree: FileTree; selection: Selection }> => {
    if (!chosen) {
      const tree = await options.treeOf(await fetched(snapshot));
      const selection = await select(tree, { ...request, where: 'the stage', signal: options.signal });
      chosen = { tree, selection };
    }
    return chosen;
  };
  // Modes of a stage are what its commands made of them.
  const { ignoreOwner, ignoreMode } = work.digest;
  const digest = { ignoreOwner, ignoreMode };
  const selector = JSON.stringify({ ...request, ...digest });
  const digestOfChosen = async (): Promise<string> => {
    const { tree, selection } = await choose();
    return digestSelection(tree, selection, { ...digest, signal: options.signal });
  };
  let value = await options.contents.get(snapshot, selector);
  if (value === undefined) {
    value = await digestOfChosen();
    options.contents.put(snapshot, selector, value);
  }
  return {
    digest: value,
    source: async () => {
      const { tree, selection } = await choose();
      await options.contents.check?.(snapshot, selector, digestOfChosen);
      const sources = selectedSources(tree, selection, { pack: work.pack });
      return { kind: 'layers', layers: layerNames(snapshot), sources };
    },
  };
}

function unexpected(node: PlanNode): SlipwayError {
  return new SlipwayError('internal', `${node.operation.kind} is not a step`, { code: 'NOT_A_STEP' });
}
