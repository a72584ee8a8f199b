import { statSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { parseTransport } from '../../image/transport.ts';

/** Where cache mounts go to or come from by hand. */
export type MountPlace =
  | { kind: 'registry'; ref: string }
  /** An OCI layout. */
  | { kind: 'directory'; path: string; tag?: string }
  /** The same as a tar; without a path standard output or input. */
  | { kind: 'archive'; path: string | undefined; tag?: string };

/**
 * Reads a place: `docker://NAME`, `oci:DIRECTORY[:TAG]`, `oci-archive:FILE[:TAG]`, a directory (one that is there, or a
 * path that ends with a slash), a file, or `-`.
 *
 * @throws SlipwayError `unsupported` and `usage` as `parseTransport`
 */
export function parseMountPlace(text: string): MountPlace {
  if (text === '-' || text === '') return { kind: 'archive', path: undefined };
  const transport = parseTransport(text);
  if (transport === undefined) {
    const isDirectory =
      text.endsWith('/') || statSync(text, { throwIfNoEntry: false })?.isDirectory() === true;
    return { kind: isDirectory ? 'directory' : 'archive', path: text };
  }
  if (transport.kind === 'registry') return { kind: 'registry', ref: transport.name };
  if (transport.kind === 'docker-archive')
    throw new SlipwayError('unsupported', 'a docker archive holds images alone', {
      code: 'TRANSPORT_UNSUPPORTED',
      hint: 'Write oci-archive:FILE, or the name of the file alone.',
    });
  const { path, reference } = transport;
  const tag = reference === undefined ? {} : { tag: reference };
  return { kind: transport.kind === 'oci' ? 'directory' : 'archive', path, ...tag };
}
