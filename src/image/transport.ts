import { SlipwayError } from '../errors/index.ts';

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
    throw new SlipwayError('usage', `${text} names no path`, {
      code: 'TRANSPORT_INVALID',
      hint: `Write ${kind}:PATH or ${kind}:PATH:${kind === 'docker-archive' ? 'NAME' : 'TAG'}.`,
    });
  const reference = colon < 0 ? '' : place.slice(colon + 1);
  return { kind, path, ...(reference === '' ? {} : { reference }) };
}
