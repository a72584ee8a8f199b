import type { NodeId, Plan } from '../plan/types.ts';

/** Nodes at whose files others look by path, for COPY --from and mounts, and all that these stand on. */
export function readNodes({ nodes }: Plan): Set<NodeId> {
  const read = new Set<NodeId>();
  // Whoever reads a node or stands on it comes behind it.
  for (const { id, operation, dependencies } of nodes.toReversed()) {
    for (const dependency of dependencies) read.add(dependency);
    if (read.has(id) && 'parent' in operation) read.add(operation.parent);
  }
  return read;
}
