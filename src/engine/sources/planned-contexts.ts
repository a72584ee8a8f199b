import { redactUrl } from '../../errors/redact-url.ts';
import type { NamedContext } from '../../plan/options.ts';
import type { NamedContextSpec } from './named-context.ts';

/** For the plan: what each name stands for. Nothing is opened. */
export function plannedContexts(specs: ReadonlyMap<string, NamedContextSpec>): Map<string, NamedContext> {
  return new Map([...specs].map(([name, spec]) => [name, plannedAs(spec)]));
}

function plannedAs(spec: NamedContextSpec): NamedContext {
  switch (spec.kind) {
    case 'files':
      return { kind: 'files', description: redactUrl(spec.argument) };
    case 'scratch':
      return { kind: 'scratch' };
    case 'image':
      return { kind: 'image', reference: spec.reference };
    case 'layout': {
      const { archive, path } = spec;
      const tag = spec.tag === undefined ? '' : `:${spec.tag}`;
      const digest = spec.digest === undefined ? '' : `@${spec.digest}`;
      const transport = archive === undefined ? 'oci-layout://' : `${archive}-archive:`;
      return { kind: 'result', description: `${transport}${path}${tag}${digest}` };
    }
    case 'target': {
      const { context, target } = spec.build;
      const stage = target === undefined ? '' : `#${target}`;
      return { kind: 'result', description: `target:${redactUrl(context)}${stage}` };
    }
  }
}
