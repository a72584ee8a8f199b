import type { NodeId, Plan, PlanNode } from '../plan/types.ts';

/** Nodes at whose files others look by path, for COPY --from and mounts, and all that these stand on. */
export function readNodes({ nodes }: Plan): Set<NodeId> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const read = new Set<NodeId>();
  for (const { dependencies } of nodes)
    for (const dependency of dependencies)
      for (
        let id: NodeId | undefined = dependency;
        id !== undefined && !read.has(id);
        id = parentOf(byId.get(id)!)
      )
        read.add(id);
  return read;
}

function parentOf({ operation }: PlanNode): NodeId | undefined {
  return 'parent' in operation ? operation.parent : undefined;
}
