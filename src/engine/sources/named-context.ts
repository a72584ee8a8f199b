import { SlipwayError } from '../../errors/index.ts';
import { formatPlatform, parsePlatform } from '../../image/platform.ts';
import { familiarReference, normalizeReference, parseReference } from '../../image/reference.ts';
import { type LocalPlace, parseLocalPlace } from '../../image/transport.ts';
import type { BuildOptions } from '../options.ts';

/** What a named context may be beside a text: a target of another build, which is built when it is needed. */
export interface TargetContext {
  /** The other build. Where it says nothing, it takes store, secrets, platform and such from this one. */
  build: Pick<BuildOptions, 'context'> &
    Partial<Pick<BuildOptions, 'file' | 'dockerfile' | 'target' | 'buildArgs' | 'buildContexts' | 'cwd'>>;
}

/** A named context as the user gave it, read. */
export type NamedContextSpec =
  | { kind: 'files'; argument: string }
  | { kind: 'scratch' }
  | { kind: 'image'; reference: string }
  | ({ kind: 'layout' } & LocalPlace)
  | { kind: 'target'; build: TargetContext['build'] };

/**
 * The name under which a context is looked for: short, without `:latest`, and with the platform behind `::` in full if
 * there is one (SPEC 1.16). What is no name of an image stays as it is, in lower case: stages may be called so.
 */
export function contextName(name: string): string {
  const [base, platform] = name.split('::', 2);
  const suffix = platform === undefined ? '' : `::${formatPlatform(parsePlatform(platform))}`;
  try {
    return familiarReference(parseReference(base!)).replace(/:latest$/, '') + suffix;
  } catch {
    return base!.toLowerCase() + suffix;
  }
}

/**
 * Reads the value of a `--build-context`: a directory, a git repository, an archive's URL, `docker-image://NAME`,
 * `oci-layout://PATH[:TAG][@DIGEST]` (or `oci:PATH…`), `oci-archive:FILE[:TAG][@DIGEST]`, `docker-archive:FILE[:NAME]`, or
 * `target:DIRECTORY[#STAGE]`, a stage of the Dockerfile in that directory.
 *
 * @throws SlipwayError `usage` BUILD_CONTEXT_INVALID, TRANSPORT_INVALID, `syntax` REFERENCE_INVALID
 */
export function parseNamedContext(name: string, value: string | TargetContext): NamedContextSpec {
  if (typeof value !== 'string') return { kind: 'target', build: value.build };
  if (name === '' || value === '') {
    throw new SlipwayError('usage', `invalid context value: ${name}=${value}, expected key=value`, {
      code: 'BUILD_CONTEXT_INVALID',
    });
  }
  const image = after(value, 'docker-image://') ?? after(value, 'docker://');
  if (image !== undefined)
    return image === 'scratch'
      ? { kind: 'scratch' }
      : { kind: 'image', reference: normalizeReference(image) };
  const layout = after(value, 'oci-layout://');
  const place = parseLocalPlace(layout === undefined ? value : `oci:${layout}`);
  if (place !== undefined) return { kind: 'layout', ...place };
  const target = after(value, 'target:');
  if (target !== undefined) {
    const hash = target.lastIndexOf('#');
    return {
      kind: 'target',
      build:
        hash < 0 ? { context: target } : { context: target.slice(0, hash), target: target.slice(hash + 1) },
    };
  }
  return { kind: 'files', argument: value };
}

/** All of them, by the names under which they are looked for. Errors as `parseNamedContext`. */
export function parseNamedContexts(
  contexts: Readonly<Record<string, string | TargetContext>>,
): Map<string, NamedContextSpec> {
  return new Map(
    Object.entries(contexts).map(([name, value]) => [contextName(name), parseNamedContext(name, value)]),
  );
}

function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}
