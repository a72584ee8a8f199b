import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerRequest } from '../../container/container-request.ts';
import { resizeContainer, runContainer, signalContainer } from '../../container/container-step.ts';
import type { ImportRequest } from '../../export/import-rootfs.ts';
import type { Input } from '../../export/input.ts';
import type { LoadedArchive } from '../../export/load.ts';
import type { PullLayersRequest } from '../../export/pull-layers.ts';
import type { UnpackedLayer } from '../../export/unpack-blob.ts';
import type { ContainerExit } from '../../runtime/types.ts';
import type { Finding, LayerCheck } from '../../store/check.ts';
import { type MeasuredLayer, measureLayers } from '../../store/gc/measure.ts';
import { layersPath, temporaryPath } from '../../store/layout.ts';
import type { AgentQuestion, ExecuteRequest } from '../executor.ts';
import type { StepEvent } from '../local-executor.ts';
import { attachPayload } from '../protocol/packed-files.ts';
import type { OperationContext, OperationHandler } from '../protocol/server.ts';
import {
  type PackCacheRequest,
  type PackedCache,
  packCache,
  type UnpackCacheRequest,
  type UnpackedCache,
  unpackCache,
} from '../run/cache-snapshot.ts';
import { type CacheUsage, type CacheWork, listCaches, removeCache } from '../run/cache-usage.ts';
import type { CompleteListingTask } from '../step/complete-listing.ts';
import { type DigestRequest, digestLayer, type HashedLayer } from '../step/digest-layer.ts';
import { executeStep, type StepOutcome } from '../step/execute-step.ts';
import { type DeleteRequest, type DeleteResult, removeGarbage } from './delete-garbage.ts';
import { describeHost, type HostDescription } from './describe-host.ts';
import { type ExportRequest, exportImages } from './export-operations.ts';
import type { WorkerHost } from './host.ts';
import type { WorkerInit, WorkerReady } from './init.ts';
import { importTar, load, pull, verifyLayers } from './load-operations.ts';
import { startHost, workerHost } from './start-host.ts';
import { runHeavy, startThreads } from './thread-pool.ts';

/** What the front may ask of the worker. */
export const operations: Record<string, OperationHandler> = {
  init: async (init: WorkerInit): Promise<WorkerReady> => {
    const { ownProc } = startHost(init);
    return { pid: process.pid, ownProc };
  },

  describe: async (): Promise<HostDescription> => describeHost(workerHost()),

  execute: async (request: ExecuteRequest, context: OperationContext): Promise<StepOutcome> => {
    attachPayload(request.step, context.payload);
    return executeStep(
      workerHost(),
      request,
      {
        askAgent: async (agent, message) => {
          const question: AgentQuestion = { agent, base64: Buffer.from(message).toString('base64') };
          return Buffer.from(await context.ask<string>(question), 'base64');
        },
        onLog: (stream, data) => context.emit({ stream } satisfies StepEvent, data),
        onWarning: (code, message) => void context.emit({ warning: { code, message } } satisfies StepEvent),
      },
      context.signal,
    );
  },

  digest: async (request: DigestRequest): Promise<HashedLayer> => digestLayer(workerHost(), request),

  'complete-listing': async (
    task: Pick<CompleteListingTask, 'stack' | 'diffId'>,
    { signal }: OperationContext,
  ): Promise<void> => {
    const { store, lease } = workerHost();
    const temporary = temporaryPath(store, lease, `listing-${task.stack.at(-1)}`);
    await runHeavy('completeListing', { ...task, store, temporary }, { signal });
  },

  container: async (request: ContainerRequest, context: OperationContext): Promise<ContainerExit> =>
    runContainer(workerHost(), request, context.signal),

  'container-signal': async ({ signal }: { signal: NodeJS.Signals }): Promise<void> =>
    signalContainer(signal),

  'container-resize': async ({ rows, columns }: { rows: number; columns: number }): Promise<void> =>
    resizeContainer(rows, columns),

  export: async (request: ExportRequest, context: OperationContext): Promise<unknown> =>
    exportImages(workerHost(), request, context),

  load: async (input: Input, context: OperationContext): Promise<LoadedArchive> =>
    load(workerHost(), input, context),

  pull: async (
    request: Pick<PullLayersRequest, 'layers'>,
    context: OperationContext,
  ): Promise<UnpackedLayer[]> => pull(workerHost(), request, context),

  import: async (
    request: Pick<ImportRequest, 'input' | 'id'>,
    context: OperationContext,
  ): Promise<UnpackedLayer> => importTar(workerHost(), request, context),

  'check-layers': async (layers: LayerCheck[], context: OperationContext): Promise<Finding[]> =>
    verifyLayers(workerHost(), layers, context),

  measure: async (
    { layers, limitMs = Number.POSITIVE_INFINITY }: { layers: MeasuredLayer[]; limitMs?: number },
    { signal }: OperationContext,
  ): Promise<Record<string, number>> => {
    const end = performance.now() + limitMs;
    return measureLayers(workerHost().store, layers, () => signal.aborted || performance.now() > end);
  },

  'cache-list': async (_: unknown, context: OperationContext): Promise<CacheUsage[]> =>
    listCaches(cacheWork(workerHost(), context)),

  'cache-remove': async ({ digest }: { digest: string }, context: OperationContext): Promise<boolean> =>
    removeCache(cacheWork(workerHost(), context), digest),

  'cache-pack': async (request: PackCacheRequest, { signal }: OperationContext): Promise<PackedCache> =>
    packCache(workerHost(), request, signal),

  'cache-unpack': async (request: UnpackCacheRequest, { signal }: OperationContext): Promise<UnpackedCache> =>
    unpackCache(workerHost(), request, signal),

  'delete-garbage': async (request: DeleteRequest): Promise<DeleteResult> =>
    removeGarbage(workerHost(), request),

  /** A step is coming that takes all threads: they start while the front gets it ready. */
  warm: async (): Promise<void> => startThreads(),

  sync: async (): Promise<void> => {
    const host = workerHost();
    const fd = openSync(layersPath(host.store), 'r');
    try {
      host.sys.syncfs(fd);
    } finally {
      closeSync(fd);
    }
  },
};

function cacheWork({ sys, store }: WorkerHost, { signal }: OperationContext): CacheWork {
  return { sys, caches: join(store, 'cache'), aborted: () => signal.aborted };
}
