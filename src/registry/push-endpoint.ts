import type { RegistryEndpoint, RegistryPool } from './types.ts';

/** Where a repository is written to: the registry itself, which comes after its mirrors. */
export async function pushEndpoint(
  pool: RegistryPool,
  registry: string,
  repository: string,
): Promise<RegistryEndpoint> {
  return (await pool.endpointsFor(registry, repository, 'push')).at(-1)!;
}
