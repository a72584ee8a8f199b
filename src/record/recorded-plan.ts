import type { Plan, PlanNode } from '../plan/types.ts';
import { inputsOf } from '../solve/priorities.ts';
import type { RecordedStage, RecordedStep } from './build-record.ts';

/** The stages of a plan as a record has them. */
export function recordedStages(plan: Plan): RecordedStage[] {
  return plan.stages.map(({ index, name, displayName, result }) => ({
    index,
    ...(name === undefined ? {} : { name }),
    displayName,
    result,
  }));
}

/** The nodes of a plan as a record has them before anything was built. */
export function recordedNodes(plan: Plan): RecordedStep[] {
  return plan.nodes.map(recordedNode);
}

function recordedNode(node: PlanNode): RecordedStep {
  const { id, stage, operation, label, title, range, dependencies, noCacheBy } = node;
  return {
    id,
    stage,
    kind: operation.kind,
    label,
    title,
    ...(range === undefined ? {} : { line: range.start.line }),
    ...('parent' in operation ? { parent: operation.parent } : {}),
    reads: inputsOf(node).filter((input) => dependencies.includes(input)),
    ...(operation.kind === 'image'
      ? { image: { reference: operation.reference, imageId: operation.imageId } }
      : {}),
    ...(noCacheBy === undefined ? {} : { noCache: noCacheBy }),
    ...(operation.kind === 'run' && operation.argNames !== undefined ? { argNames: operation.argNames } : {}),
  };
}
