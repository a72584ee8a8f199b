/** A resource and what one wants to do with it: `repository:library/debian:pull` (distribution, token scope). */
export type Scope = string;

export function repositoryScope(repository: string, actions: 'pull' | 'pull,push'): Scope {
  return `repository:${repository}:${actions}`;
}

/** One scope for each resource, with all actions asked for; sorted, so that equal wishes are equal texts. */
export function mergeScopes(scopes: readonly Scope[]): Scope[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(':');
    const resource = colon < 0 ? scope : scope.slice(0, colon);
    const set = actions.get(resource) ?? new Set<string>();
    actions.set(resource, set);
    if (colon >= 0) for (const action of scope.slice(colon + 1).split(',')) set.add(action);
  }
  return [...actions]
    .map(([resource, set]) => (set.size === 0 ? resource : `${resource}:${[...set].sort().join(',')}`))
    .sort();
}
