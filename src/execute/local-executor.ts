import type { AgentQuestion, ExecuteHooks, ExecuteRequest, ExecuteResult, Executor } from './executor.ts';
import { packStep } from './protocol/packed-files.ts';
import type { DigestRequest, HashedLayer } from './step/digest-layer.ts';
import type { StepOutcome } from './step/execute-step.ts';
import type { WorkerProcess } from './worker-process.ts';

/** What `execute` of the worker reports: output, whose bytes are the payload, or a warning. */
export interface StepEvent {
  stream?: 'stdout' | 'stderr';
  warning?: { code: string; message: string };
}

/** The executor of this machine: a worker process (DESIGN, decision 1). */
export function localExecutor(worker: WorkerProcess): Executor {
  const execute = async (
    request: ExecuteRequest,
    hooks: ExecuteHooks,
    signal: AbortSignal,
  ): Promise<ExecuteResult> => {
    const { step, payload } = packStep(request.step);
    const outcome = await worker.client.call<StepOutcome>(
      'execute',
      { ...request, step },
      {
        ...(payload && { payload }),
        signal,
        onEvent: (event, data) => {
          const { stream, warning } = event as StepEvent;
          if (warning !== undefined) hooks.onWarning?.(warning.code, warning.message);
          else if (stream !== undefined) void hooks.onLog(stream, data);
        },
        onAsk: async ({ agent, base64 }: AgentQuestion) => {
          const answer = await hooks.askAgent?.(agent, Buffer.from(base64, 'base64'));
          return Buffer.from(answer ?? []).toString('base64');
        },
      },
    );
    const digest: DigestRequest = {
      layer: request.layer,
      base: outcome.base,
      parent: request.parent.at(-1),
      clampMtime: request.clampMtime,
      isBase: request.step.kind === 'copy',
      isRead: request.isRead,
    };
    return { ...outcome, digest: worker.client.call<HashedLayer>('digest', digest) };
  };
  return { execute, sync: () => worker.client.call('sync', {}) };
}
