import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '../../runtime/types.ts';

export interface NetworkFilesRequest {
  /** Directory outside the root file system that the files are written to. */
  scratch: string;
  hostname: string;
  /** From `--add-host`; `host-gateway` is the machine itself. */
  extraHosts: readonly { name: string; address: string }[];
  /** Mounted read-only, as a build's RUN has them; a container may write to its own copies. */
  readOnly?: boolean;
}

/**
 * Writes a container's /etc/resolv.conf and /etc/hosts and gives the mounts for them, so that they are there and
 * never in a layer. With the host's network its resolver file holds as it is, loopback stub included.
 */
export function networkFiles(request: NetworkFilesRequest): Mount[] {
  const hosts = [
    `127.0.0.1\tlocalhost ${request.hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...request.extraHosts.map(({ name, address }) => `${addressOf(address)}\t${name}`),
    '',
  ].join('\n');
  const files = [
    { name: 'resolv.conf', content: hostResolver() },
    { name: 'hosts', content: hosts },
  ];
  return files.map(({ name, content }) => {
    const source = join(request.scratch, name);
    writeFileSync(source, content, { mode: 0o644 });
    return {
      type: 'bind',
      source,
      target: `/etc/${name}`,
      options: ['bind', 'nosuid', 'nodev', 'noexec', ...(request.readOnly ? ['ro'] : [])],
    };
  });
}

/** With the host's network, its loopback is the container's. */
function addressOf(address: string): string {
  return address === 'host-gateway' ? '127.0.0.1' : address;
}

function hostResolver(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}
