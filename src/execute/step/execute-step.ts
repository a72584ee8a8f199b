import { chownSync } from 'node:fs';
import { bufferOf, bytesOf } from '../../sys/bytes.ts';
import { copyStep } from '../copy/copy-step.ts';
import type { ExecuteHooks, ExecuteRequest } from '../executor.ts';
import { runStep } from '../run/run-step.ts';
import type { ActiveSnapshot } from '../snapshot/snapshotter.ts';
import type { WorkerHost } from '../worker/host.ts';
import { resolveOwner } from './account.ts';
import { ensureDirectory } from './root-path.ts';

/** Runs one step on a snapshot of its parent and commits the snapshot as its layer; see `Executor.execute`. */
export async function executeStep(
  host: WorkerHost,
  request: ExecuteRequest,
  hooks: ExecuteHooks,
  signal: AbortSignal,
): Promise<void> {
  const snapshot = host.snapshotter.prepare(request.parent);
  try {
    await perform({ host, request, snapshot, hooks, signal });
    signal.throwIfAborted();
    snapshot.commit(request.layer);
  } finally {
    snapshot.discard();
  }
}

interface Work {
  host: WorkerHost;
  request: ExecuteRequest;
  snapshot: ActiveSnapshot;
  hooks: ExecuteHooks;
  signal: AbortSignal;
}

async function perform({ host, request, snapshot, hooks, signal }: Work): Promise<void> {
  const { step } = request;
  const root = bytesOf(snapshot.root);
  switch (step.kind) {
    case 'run':
      return runStep({ host, snapshot, ...step, secrets: new Map(), hooks, signal });
    case 'copy': {
      const { source, operation } = step;
      if (source.kind !== 'layers') {
        const from = source.kind === 'directory' ? bytesOf(source.path) : undefined;
        const sources = source.kind === 'directory' ? source.sources : [];
        return copyStep(host.sys, { operation, root, from, sources, keepOwner: false });
      }
      const view = host.snapshotter.view(source.layers);
      try {
        const from = bytesOf(view.root);
        return await copyStep(host.sys, { operation, root, from, sources: source.sources, keepOwner: true });
      } finally {
        view.close();
      }
    }
    case 'workdir': {
      const { path, user } = step.operation;
      const owner = user === '' ? { uid: 0, gid: 0 } : resolveOwner(root, user);
      ensureDirectory(root, bytesOf(path), (created) => chownSync(bufferOf(created), owner.uid, owner.gid));
    }
  }
}
