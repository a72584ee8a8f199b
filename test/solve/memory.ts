import { hash } from 'node:crypto';
import type { CacheBackend, NewStepRecord, StepCost, StoredLayer } from '../../src/cache/cache-backend.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import type { ExecuteRequest, Executor } from '../../src/execute/executor.ts';
import { localPlatform } from '../../src/image/platform.ts';
import {
  type NodeId,
  PLAN_FORMAT,
  type Plan,
  type PlanNode,
  type RunOperation,
} from '../../src/plan/types.ts';
import type { PrepareStep } from '../../src/solve/types.ts';

/** A step cache in memory, which several builds of a test share. */
export interface MemoryCache extends CacheBackend {
  records: Map<string, NewStepRecord>;
  claims: Set<string>;
  costs: Map<string, StepCost>;
}

export function memoryCache(): MemoryCache {
  const records = new Map<string, NewStepRecord>();
  const layers = new Map<string, StoredLayer>();
  const claims = new Set<string>();
  const costs = new Map<string, StepCost>();
  let next = 1;
  const definitions = new Set<string>();
  const byDiffId = (diffId: string): StoredLayer | undefined => layers.get(diffId);
  return {
    records,
    claims,
    costs,
    lookup: (key) => {
      const record = records.get(key);
      const layer = record && byDiffId(record.diffId);
      return layer && { layer, created: record!.created, durationMs: record!.durationMs, buildId: 'earlier' };
    },
    hasDefinition: (definition) => definitions.has(definition),
    record: (step) => {
      records.set(step.key, step);
      definitions.add(step.definition);
    },
    allocateLayer: () => String(next++),
    completeLayer: (id, { diffId, size }) => {
      const layer = byDiffId(diffId) ?? { stack: [id], diffId, size };
      layers.set(diffId, layer);
      return layer;
    },
    abandonLayer: () => {},
    basesFor: () => [],
    layersOf: (diffIds) => {
      const found = diffIds.map(byDiffId);
      return found.every((layer) => layer !== undefined) ? found : undefined;
    },
    lastRun: (name) => costs.get(name),
    noteRun: (name, cost) => void costs.set(name, cost),
    claim: (name) => !claims.has(name) && claims.add(name) !== undefined,
    isClaimed: (name) => claims.has(name),
    release: (name) => void claims.delete(name),
  };
}

/** What a command of the in-memory executor does: `content` decides the digest of its layer. */
export interface Behaviour {
  content?: string;
  fail?: number;
  onStart?: () => void;
  /** The step does not end before this settles. */
  until?: Promise<unknown>;
  /** The digest is not known before this settles. */
  digestAfter?: Promise<unknown>;
}

/** An executor without a kernel: layers are texts. `log` has what it did, in order. */
export function memoryExecutor(behaviours: Record<string, Behaviour>): Executor & { log: string[] } {
  const log: string[] = [];
  const execute = async (request: ExecuteRequest, _hooks: unknown, signal: AbortSignal) => {
    const { command } = (request.step as { operation: RunOperation }).operation;
    const { content = command, fail, onStart, until, digestAfter } = behaviours[command] ?? {};
    log.push(`start ${command}`);
    onStart?.();
    await Promise.race([until, new Promise((_, reject) => signal.addEventListener('abort', reject))]);
    if (signal.aborted) {
      log.push(`canceled ${command}`);
      throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
    }
    if (fail !== undefined) {
      log.push(`failed ${command}`);
      throw new SlipwayError('step-failed', `exit code: ${fail}`, { code: 'STEP_FAILED', exitCode: fail });
    }
    log.push(`end ${command}`);
    const digest = (async () => {
      await digestAfter;
      log.push(`digested ${command}`);
      const diffId = `sha256:${hash('sha256', content, 'hex')}`;
      return { diffId, tarSize: 1, size: content.length, packer: 1, recipe: {} };
    })();
    return { digest };
  };
  return { log, execute, sync: async () => {} };
}

/** The key of a command is the command and the digests of what it reads. */
export const prepareCommand: PrepareStep = async (node, inputs) => {
  const { operation } = node as { operation: RunOperation };
  const parts: Record<string, string> = { command: operation.command };
  for (const [id, snapshot] of inputs) {
    parts[`input ${id}`] = snapshot.layers.map((layer) => layer.stored!.diffId).join();
  }
  return {
    parts,
    step: async () => ({
      kind: 'run',
      operation,
      platform: localPlatform(),
      sources: [],
      secrets: [],
      agents: [],
    }),
  };
};

/** A plan of commands: `name: [command, parent, ...reads]`; the last one is the target. */
export function commandPlan(
  commands: Record<NodeId, [command: string, parent: NodeId, ...reads: NodeId[]]>,
): Plan {
  const nodes: PlanNode[] = [
    { id: 'scratch', stage: 0, operation: { kind: 'scratch' }, title: '', label: '', dependencies: [] },
  ];
  for (const [id, [command, parent, ...dependencies]] of Object.entries(commands)) {
    const operation = { kind: 'run', command, parent } as RunOperation;
    nodes.push({ id, stage: 0, operation, title: command, label: '', dependencies });
  }
  const stage = { index: 0, name: undefined, displayName: 'stage-0', result: nodes.at(-1)!.id, history: [] };
  const platform = { os: 'linux', architecture: 'amd64' };
  const stages = [{ ...stage, platform, config: {} }];
  return {
    format: PLAN_FORMAT,
    platform,
    stages,
    target: 0,
    nodes,
    bases: [],
    warnings: [],
    unusedBuildArgs: [],
  };
}
