import { SlipwayError } from '../../errors/index.ts';
import { layersPath } from '../../store/layout.ts';
import { bytesOf } from '../../sys/bytes.ts';
import { type CopiedInThreads, copyInThreads, sharedSource } from '../copy/copy-in-threads.ts';
import { type CopyStepRequest, copyStep } from '../copy/copy-step.ts';
import { type DeltaCopy, deltaCopy, findDelta } from '../copy/delta-copy.ts';
import type { ExecutableStep, ExecuteHooks, ExecuteRequest, ExecuteResult } from '../executor.ts';
import { amountOf, unpackSources } from '../protocol/packed-files.ts';
import { runStep } from '../run/run-step.ts';
import { plainSnapshot } from '../snapshot/plain.ts';
import type { ActiveSnapshot } from '../snapshot/snapshotter.ts';
import type { WorkerHost } from '../worker/host.ts';
import { runHeavy } from '../worker/thread-pool.ts';
import { resolveOwner } from './account.ts';
import { recordOverrides } from './layer-overrides.ts';
import { type KeptMetadata, MetadataKeeper } from './metadata-keeper.ts';
import { ensureDirectory } from './root-path.ts';
import { squashLayers } from './squash-layers.ts';

/** What is known of a step as soon as its layer is frozen. */
export type StepOutcome = Omit<ExecuteResult, 'digest'>;

/** Runs one step on a snapshot of its parent and commits the snapshot as its layer; see `Executor.execute`. */
export async function executeStep(
  host: WorkerHost,
  request: ExecuteRequest,
  hooks: ExecuteHooks,
  signal: AbortSignal,
): Promise<StepOutcome> {
  await host.snapshotter.settled?.();
  const delta = deltaOf(host, request);
  const below = delta?.base.stack ?? [];
  const parent = [...request.parent, ...below];
  const snapshot = isIndependent(request.step)
    ? plainSnapshot({ layers: layersPath(host.store), active: host.active })
    : host.snapshotter.prepare(parent);
  try {
    const { kept, tree, peakMemory } = await perform({ host, request, snapshot, hooks, signal, delta });
    signal.throwIfAborted();
    const { layer } = request;
    const committed = snapshot.commit(layer);
    if (tree !== undefined) host.writtenTrees.set(layer, tree);
    recordOverrides(host, { parent, below, layer, root: bytesOf(snapshot.root), kept, committed });
    return { peakMemory, base: delta && { ...delta.base, hides: delta.plan.removed.length > 0 } };
  } catch (error) {
    throw aboutDestination(error, request.step, snapshot.root);
  } finally {
    snapshot.discard();
  }
}

const PATH_ERRORS = new Set(['NOT_A_DIRECTORY', 'LINK_LOOP', 'DIRECTORY_OVER_FILE', 'FILE_OVER_DIRECTORY']);

/** A path that cannot be used here is a WORKDIR or a destination: sources were looked at before. It is shown as the image has it. */
function aboutDestination(error: unknown, { kind }: ExecutableStep, root: string): unknown {
  const isPath = error instanceof SlipwayError && PATH_ERRORS.has(error.code);
  if (!isPath || (kind !== 'copy' && kind !== 'workdir')) return error;
  const message = error.message.replace(`${root}/`, '/');
  return new SlipwayError(error.kind, message, { ...error.details(), subject: { part: 'argument' } });
}

/** `COPY --link`: whatever its parent is, it gives one layer. */
function isIndependent(step: ExecutableStep): boolean {
  return step.kind === 'copy' && step.operation.link;
}

/** Looks whether a COPY is better done over an earlier layer of its kind. */
function deltaOf(
  host: WorkerHost,
  { step, parent, bases, clampMtime }: ExecuteRequest,
): DeltaCopy | undefined {
  if (bases === undefined || bases.length === 0) return undefined;
  if (step.kind !== 'copy' || step.source.kind === 'none') return undefined;
  const { operation, source } = step;
  const view = host.snapshotter.view(parent);
  try {
    return findDelta({
      store: host.store,
      operation,
      root: bytesOf(view.root),
      sources: source.sources,
      keepOwner: source.kind === 'layers',
      bases,
      clampMtime,
    });
  } finally {
    view.close();
  }
}

interface Work {
  host: WorkerHost;
  request: ExecuteRequest;
  snapshot: ActiveSnapshot;
  hooks: ExecuteHooks;
  signal: AbortSignal;
  delta: DeltaCopy | undefined;
}

interface Performed extends StepOutcome, Partial<CopiedInThreads> {
  kept: KeptMetadata;
}

async function perform({ host, request, snapshot, hooks, signal, delta }: Work): Promise<Performed> {
  const { step } = request;
  const root = bytesOf(snapshot.root);
  switch (step.kind) {
    case 'run': {
      const secrets = new Map(step.secrets.map(({ id, base64 }) => [id, Buffer.from(base64, 'base64')]));
      const { peakMemory } = await runStep({ host, snapshot, ...step, secrets, hooks, signal });
      return { kept: new MetadataKeeper(host.sys).kept, peakMemory };
    }
    case 'copy': {
      const { source, operation } = step;
      if (source.kind !== 'layers') {
        const from = source.kind === 'directory' ? bytesOf(source.path) : undefined;
        const sources = source.kind === 'directory' ? source.sources : [];
        const copied = { operation, root, from, sources, keepOwner: false };
        return await copy(host, copied, { snapshot, signal, delta });
      }
      const view = host.snapshotter.view(source.layers);
      try {
        const from = bytesOf(view.root);
        const { sources } = source;
        const copied = { operation, root, from, sources, keepOwner: true };
        return await copy(host, copied, { snapshot, signal, delta });
      } finally {
        view.close();
      }
    }
    case 'squash':
      return { kept: squashLayers(host, step.layers, root) };
    case 'workdir': {
      const { path, user } = step.operation;
      const owner = user === '' ? { uid: 0, gid: 0 } : resolveOwner(root, user);
      const keeper = new MetadataKeeper(host.sys);
      ensureDirectory(root, bytesOf(path), (created) => keeper.setOwner(created, owner));
      return { kept: keeper.kept };
    }
  }
}

/** Up to here a copy is done at once: handing it to a thread would take longer (starting one is 40 ms). */
const SMALL_FILES = 256;
const SMALL_BYTES = 8 * 1024 * 1024;

/** A small copy here, a large one in threads, so that logs and cancels of other steps do not wait for it. */
async function copy(
  host: WorkerHost,
  request: CopyStepRequest,
  { snapshot, signal, delta }: Pick<Work, 'snapshot' | 'signal' | 'delta'>,
): Promise<Performed> {
  if (delta !== undefined) {
    const { operation, root, from = '', keepOwner } = request;
    const { plan, owner } = delta;
    const task = { operation, root, from, keepOwner, plan, owner };
    const isSmall = plan.work <= SMALL_FILES && plan.bytes <= SMALL_BYTES;
    return { kept: isSmall ? deltaCopy(host.sys, task) : await runHeavy('delta', task, { signal }) };
  }
  const source = sharedSource(request);
  if (source !== undefined) return copyInThreads({ sys: host.sys, request, source, snapshot, signal });
  const { count, bytes } = amountOf(request.sources);
  const small = count <= SMALL_FILES && bytes <= SMALL_BYTES && request.operation.instruction === 'COPY';
  const kept = small
    ? copyStep(host.sys, { ...request, sources: unpackSources(request.sources) })
    : runHeavy('copy', request, { signal });
  return { kept: await kept };
}
