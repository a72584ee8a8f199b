import { SlipwayError } from '../errors/index.ts';
import { isReference, placeHint } from './reference.ts';

/** Where an image is, beside this machine's store (containers-transports(5)). */
export type Transport =
  | { kind: 'registry'; name: string }
  /** `reference` is what the layout calls it. */
  | { kind: 'oci' | 'oci-archive'; path: string; reference?: string }
  /** `reference` is a name of an image. */
  | { kind: 'docker-archive'; path: string; reference?: string };

/** Those that skopeo knows and there is no way to here, with why. */
const OTHERS: Readonly<Record<string, string>> = {
  'docker-daemon': 'write docker-archive:FILE and load that',
  'containers-storage': 'write oci:DIRECTORY and copy from there',
  dir: 'write oci:DIRECTORY, which other tools read too',
  sif: 'nothing here makes images of that kind',
  ostree: 'nothing here makes images of that kind',
};

/**
 * Reads a place as skopeo, podman and buildah write it: `docker://NAME`, `oci:PATH[:REFERENCE]`,
 * `oci-archive:PATH[:REFERENCE]`, `docker-archive:PATH[:NAME]`. Undefined for what has no transport in front. A path
 * holds no colon.
 *
 * @throws SlipwayError `unsupported` TRANSPORT_UNSUPPORTED; `usage` TRANSPORT_INVALID
 */
export function parseTransport(text: string): Transport | undefined {
  const name = /^docker:\/\/(.*)$/s.exec(text)?.[1];
  if (name !== undefined) return { kind: 'registry', name };
  const [, kind, place] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
  if (kind === undefined || place === undefined) return undefined;
  if (Object.hasOwn(OTHERS, kind)) {
    throw new SlipwayError('unsupported', `the transport ${kind}: is not supported`, {
      code: 'TRANSPORT_UNSUPPORTED',
      hint: `Instead ${OTHERS[kind]}.`,
    });
  }
  if (kind !== 'oci' && kind !== 'oci-archive' && kind !== 'docker-archive') return undefined;
  const colon = place.indexOf(':');
  const path = colon < 0 ? place : place.slice(0, colon);
  if (path === '')
    throw new SlipwayError('usage', `invalid place ${JSON.stringify(text)}: it names no path`, {
      code: 'TRANSPORT_INVALID',
      hint: `Write ${kind}:PATH or ${kind}:PATH:${kind === 'docker-archive' ? 'NAME' : 'TAG'}.`,
    });
  const reference = colon < 0 ? '' : place.slice(colon + 1);
  return { kind, path, ...(reference === '' ? {} : { reference }) };
}

/** An image in a directory or file of this machine, as Dockerfiles and named contexts write it. */
export interface LocalPlace {
  /** Without it an OCI layout that is a directory. */
  archive?: 'oci' | 'docker';
  path: string;
  /** What the layout calls the image; of a Docker archive its name. */
  tag?: string;
  digest?: string;
}

/**
 * Reads `oci:PATH[:TAG][@DIGEST]`, `oci-archive:PATH[:TAG][@DIGEST]` and `docker-archive:PATH[:NAME]`; undefined for
 * anything else.
 *
 * @throws SlipwayError `usage` TRANSPORT_INVALID
 */
export function parseLocalPlace(text: string): LocalPlace | undefined {
  if (!/^(?:oci|oci-archive|docker-archive):/.test(text)) return undefined;
  const [, before, digest] = /^(?!docker-)(.*?)(?:@(.*))?$/s.exec(text) ?? [undefined, text];
  const place = parseTransport(before!);
  if (place === undefined || place.kind === 'registry') return undefined;
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new SlipwayError('usage', `invalid place ${JSON.stringify(text)}: it ends in no digest`, {
      code: 'TRANSPORT_INVALID',
      hint: `Write ${place.kind}:${place.path}@sha256:….`,
    });
  const { kind, path, reference: tag } = place;
  return {
    ...(kind === 'oci' ? {} : { archive: kind === 'oci-archive' ? ('oci' as const) : ('docker' as const) }),
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * Whether a name in a Dockerfile means a place and no image of a registry. `oci:1.2` is the image that Docker takes it
 * for; archives have no such readings, though `oci-archive:base.tar` could be one.
 */
export function isLocalPlace(text: string): boolean {
  return /^(?:oci|docker)-archive:/.test(text) || (text.startsWith('oci:') && !isReference(text));
}

/**
 * For names that a registry is asked for.
 *
 * @throws SlipwayError `usage` TRANSPORT_UNSUPPORTED for an archive, which would read as one
 */
export function refuseLocalPlace(text: string): void {
  if (!isLocalPlace(text)) return;
  throw new SlipwayError('usage', `${text} is no image of a registry`, {
    code: 'TRANSPORT_UNSUPPORTED',
    hint: placeHint(text),
  });
}
