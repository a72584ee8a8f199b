import { SlipwayError } from '../../errors/index.ts';
import { formatPlatform, parsePlatform } from '../../image/platform.ts';
import { familiarReference, normalizeReference, parseReference } from '../../image/reference.ts';
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
  | { kind: 'layout'; path: string; tag?: string; digest?: string }
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
 * `oci-layout://PATH[:TAG][@DIGEST]` (or `oci:PATH…`), or `target:DIRECTORY[#STAGE]`, a stage of the Dockerfile in that directory.
 *
 * @throws SlipwayError `usage` BUILD_CONTEXT_INVALID, `syntax` REFERENCE_INVALID
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
  const layout = after(value, 'oci-layout://') ?? after(value, 'oci:');
  if (layout !== undefined) return parseLayout(layout);
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

function parseLayout(text: string): NamedContextSpec {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const place = at < 0 ? text : text.slice(0, at);
  const colon = place.indexOf(':');
  const path = colon < 0 ? place : place.slice(0, colon);
  if (path === '' || (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))) {
    throw new SlipwayError('usage', `invalid oci-layout context ${JSON.stringify(text)}`, {
      code: 'BUILD_CONTEXT_INVALID',
      hint: 'Write oci-layout://PATH, oci-layout://PATH:TAG or oci-layout://PATH@sha256:….',
    });
  }
  return {
    kind: 'layout',
    path,
    ...(colon < 0 ? {} : { tag: place.slice(colon + 1) }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function after(text: string, prefix: string): string | undefined {
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}
