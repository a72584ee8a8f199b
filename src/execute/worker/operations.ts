import { closeSync, openSync } from 'node:fs';
import type { LayerDigest } from '../../layer/types.ts';
import { layersPath } from '../../store/layout.ts';
import type { ExecuteRequest } from '../executor.ts';
import type { OperationContext, OperationHandler } from '../protocol/server.ts';
import { type DigestRequest, digestLayer } from '../step/digest-layer.ts';
import { executeStep } from '../step/execute-step.ts';
import type { WorkerInit, WorkerReady } from './init.ts';
import { startHost, workerHost } from './start-host.ts';

/** What the front may ask of the worker. */
export const operations: Record<string, OperationHandler> = {
  init: async (init: WorkerInit): Promise<WorkerReady> => {
    startHost(init);
    return { pid: process.pid };
  },

  execute: async (request: ExecuteRequest, context: OperationContext): Promise<void> =>
    executeStep(
      workerHost(),
      request,
      { onLog: (stream, data) => context.emit({ stream }, data) },
      context.signal,
    ),

  digest: async (request: DigestRequest): Promise<LayerDigest> => digestLayer(workerHost(), request),

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
