import type { CacheBackend, StepRecord, StoredLayer } from '../../cache/cache-backend.ts';
import type { KeyParts } from '../../cache/keys.ts';
import type { TravelingContent, TravelingStep } from '../../cache/travel/cache-document.ts';
import type { ExecutableStep } from '../../execute/executor.ts';
import type { NodeId, PlanNode } from '../../plan/types.ts';
import type { StepIdentity, StepObserver } from '../../solve/step-observer.ts';

/** Notes what a build's steps came to, for the caches that it leaves and for the store's own record. */
export class RecordCollector implements StepObserver {
  readonly #next: StepObserver;
  readonly #parts = new Map<NodeId, KeyParts>();
  readonly #steps = new Map<string, TravelingStep>();
  readonly #contents = new Map<string, TravelingContent>();
  /** Results that only an imported cache had. */
  readonly #foreign = new Map<string, { identity: StepIdentity; record: StepRecord; parts: KeyParts }>();

  /** @param next Is told everything too. */
  constructor(next: StepObserver) {
    this.#next = next;
  }

  prepared(node: PlanNode, step: { parts: KeyParts; definition: string }): void {
    this.#parts.set(node.id, step.parts);
    this.#next.prepared(node, step);
  }

  reused(node: PlanNode, identity: StepIdentity, record: StepRecord): void {
    const { created, durationMs, buildId, layer } = record;
    this.#note(identity, layer, { created, durationMs });
    // Records of the store have the build that made them.
    if (buildId === '')
      this.#foreign.set(identity.key, { identity, record, parts: this.#parts.get(node.id)! });
    this.#next.reused(node, identity, record);
  }

  merged(node: PlanNode, same: NodeId): void {
    this.#next.merged(node, same);
  }

  executing(node: PlanNode, step: ExecutableStep): void {
    this.#next.executing(node, step);
  }

  recorded(
    node: PlanNode,
    identity: StepIdentity,
    layer: StoredLayer,
    times: { created: string; durationMs: number },
  ): void {
    this.#note(identity, layer, times);
    this.#next.recorded(node, identity, layer, times);
  }

  /** What a selector chose. */
  content(chain: string, selector: string, digest: string): void {
    this.#contents.set(`${chain}\n${selector}`, { chain, selector, digest });
  }

  /** Sorted, so that equal builds give equal documents. */
  steps(): TravelingStep[] {
    return [...this.#steps.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  contents(): TravelingContent[] {
    const byName = [...this.#contents].sort(([a], [b]) => (a < b ? -1 : 1));
    return byName.map(([, content]) => content);
  }

  /** Writes results whose layers have come into the store down there, so that the next build finds them without a cache. */
  keepForeign(cache: CacheBackend): void {
    for (const { identity, record, parts } of this.#foreign.values()) {
      const { created, durationMs, layer } = record;
      try {
        cache.record({ ...identity, diffId: layer.diffId, created, durationMs, parts });
      } catch {
        // Its layer has just been collected, or the disk is full: the next build asks the cache again.
        return;
      }
    }
  }

  #note(
    { key, definition }: StepIdentity,
    { diffId, size }: StoredLayer,
    { created, durationMs }: { created: string; durationMs: number },
  ): void {
    this.#steps.set(key, { key, definition, diffId, size, created, durationMs: Math.round(durationMs) });
  }
}
