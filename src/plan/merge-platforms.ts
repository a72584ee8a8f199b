import type { NodeId, Operation, Plan, PlanNode, PlannedBase, PlannedStage } from './types.ts';

/**
 * Makes one plan of plans of the same Dockerfile and targets for several platforms. Steps that are the same in several
 * of them, like those of a stage `FROM --platform=$BUILDPLATFORM` that asks for no target, are one node, and stages
 * that are the same in everything are one stage.
 */
export function mergePlatforms(plans: readonly Plan[]): Plan {
  const [first] = plans;
  const merger = new Merger();
  const parts = plans.map((plan) => merger.add(plan));
  const targets = [...new Set(parts.flatMap((part) => part.targets))];
  const extraStages = [...new Set(parts.flatMap((part) => part.extraStages))].filter(
    (stage) => !targets.includes(stage),
  );
  const { targets: _, extraStages: __, ...rest } = first!;
  return {
    ...rest,
    stages: merger.stages,
    target: parts[0]!.targets.at(-1)!,
    ...(targets.length > 1 ? { targets } : {}),
    platforms: plans.map(({ platform }, index) => ({ platform, targets: parts[index]!.targets })),
    ...(extraStages.length === 0 ? {} : { extraStages }),
    nodes: merger.nodes,
    bases: unique(plans.flatMap((plan) => plan.bases.map((base) => withPlatform(base, plan)))),
    ...(first!.contexts === undefined
      ? {}
      : { contexts: unique(plans.flatMap((plan) => plan.contexts ?? [])) }),
    warnings: unique(plans.flatMap((plan) => plan.warnings)),
  };
}

class Merger {
  readonly stages: PlannedStage[] = [];
  readonly nodes: PlanNode[] = [];
  readonly #stageOf = new Map<string, number>();
  readonly #nodeOf = new Map<string, NodeId>();

  /** Takes a plan in; gives where its targets and the other stages asked for are now. */
  add(plan: Plan): { targets: number[]; extraStages: number[] } {
    const ids = new Map<NodeId, NodeId>();
    const added: PlanNode[] = [];
    for (const node of plan.nodes) ids.set(node.id, this.#node(node, { plan, ids, added }));
    const places: number[] = [];
    for (const stage of plan.stages) places.push(this.#stage(stage, { ids, places }));
    for (const node of added) node.stage = places[node.stage]!;
    const at = (stages: readonly number[]): number[] => stages.map((stage) => places[stage]!);
    return { targets: at(plan.targets ?? [plan.target]), extraStages: at(plan.extraStages ?? []) };
  }

  #node(node: PlanNode, into: { plan: Plan; ids: ReadonlyMap<NodeId, NodeId>; added: PlanNode[] }): NodeId {
    const { plan, ids, added } = into;
    const { id: _, stage, label, ...step } = node;
    const dependencies = node.dependencies.map((id) => ids.get(id)!);
    const moved = { ...step, operation: withIds(node.operation, ids), dependencies };
    const { platform, index } = plan.stages[stage]!;
    const key = JSON.stringify([moved, platform, index]);
    const known = this.#nodeOf.get(key);
    if (known !== undefined) return known;
    const id: NodeId = `n${this.nodes.length}`;
    const entry = { id, stage, label, ...moved };
    this.nodes.push(entry);
    added.push(entry);
    this.#nodeOf.set(key, id);
    return id;
  }

  #stage(
    stage: PlannedStage,
    { ids, places }: { ids: ReadonlyMap<NodeId, NodeId>; places: readonly number[] },
  ): number {
    const moved: PlannedStage = {
      ...stage,
      ...(stage.base === undefined ? {} : { base: places[stage.base]! }),
      result: ids.get(stage.result)!,
      history: stage.history.map((entry) => withNode(entry, ids)),
      ...(stage.lines && {
        lines: stage.lines.map((line) => ({ ...withNode(line, ids), result: ids.get(line.result)! })),
      }),
    };
    const key = JSON.stringify(moved);
    const known = this.#stageOf.get(key);
    if (known !== undefined) return known;
    this.#stageOf.set(key, this.stages.length);
    return this.stages.push(moved) - 1;
  }
}

/** An operation that refers to the nodes by their new names. */
function withIds(operation: Operation, ids: ReadonlyMap<NodeId, NodeId>): Operation {
  const fromOf = <Source extends { kind: string }>(from: Source): Source =>
    'node' in from ? { ...from, node: ids.get(from.node as NodeId)! } : from;
  switch (operation.kind) {
    case 'run':
      return {
        ...operation,
        parent: ids.get(operation.parent)!,
        mounts: operation.mounts.map((mount) =>
          'from' in mount && mount.from !== undefined ? { ...mount, from: fromOf(mount.from) } : mount,
        ),
      };
    case 'copy':
      return { ...operation, parent: ids.get(operation.parent)!, from: fromOf(operation.from) };
    case 'workdir':
      return { ...operation, parent: ids.get(operation.parent)! };
    default:
      return operation;
  }
}

function withNode<Entry extends { node?: NodeId }>(entry: Entry, ids: ReadonlyMap<NodeId, NodeId>): Entry {
  return entry.node === undefined ? entry : { ...entry, node: ids.get(entry.node)! };
}

/** What a plan leaves out because it is its own platform. */
function withPlatform(base: PlannedBase, { platform }: Plan): PlannedBase {
  return { ...base, platform: base.platform ?? platform };
}

/** Each once, by content. */
function unique<Entry>(entries: readonly Entry[]): Entry[] {
  return [...new Map(entries.map((entry) => [JSON.stringify(entry), entry])).values()];
}
