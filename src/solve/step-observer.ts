import type { StepRecord, StoredLayer } from '../cache/cache-backend.ts';
import type { KeyParts } from '../cache/keys.ts';
import type { ExecutableStep } from '../execute/executor.ts';
import type { Digest } from '../image/types.ts';
import type { NodeId, PlanNode } from '../plan/types.ts';

/** What a step was looked up under. */
export interface StepIdentity {
  key: string;
  definition: string;
  /** ChainID of what it stands on. */
  parentChain: Digest;
}

/**
 * Follows what becomes of each step, in more detail than displays need: the record of a build is made of it. Called
 * synchronously; must not throw.
 */
export interface StepObserver {
  /** The inputs are known. */
  prepared(node: PlanNode, step: { parts: KeyParts; definition: string }): void;
  /** A recorded result is used. */
  reused(node: PlanNode, identity: StepIdentity, record: StepRecord): void;
  /** The same step ran for another node of this build. */
  merged(node: PlanNode, same: NodeId): void;
  /** It is about to run. */
  executing(node: PlanNode, step: ExecutableStep): void;
  /** The digest of its layer is known and its result is recorded. */
  recorded(
    node: PlanNode,
    identity: StepIdentity,
    layer: StoredLayer,
    times: { created: string; durationMs: number },
  ): void;
}
