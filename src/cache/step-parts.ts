import type { RunSettings } from '../execute/executor.ts';
import type { Platform } from '../image/types.ts';
import type { CopyOperation, RunMount, RunOperation, WorkdirOperation } from '../plan/types.ts';
import type { KeyParts } from './keys.ts';

/** What keys hold beside the instruction: those of COPY and WORKDIR, which run nothing, the time alone. */
export interface CommonParts {
  platform: Platform;
  /** SOURCE_DATE_EPOCH in seconds: it changes the times in the layer. */
  epoch?: number | undefined;
}

/**
 * Parts of a RUN's key (DESIGN, decision 5; SPEC M13): everything its process can observe. Secrets by id only;
 * ids, sharing and content of cache mounts and the values of proxy arguments not at all. `contents` holds the
 * digests of what bind mounts show, by index. Limits of memory and processors are no part of it.
 */
export function runParts(
  operation: RunOperation,
  contents: Map<number, string>,
  common: CommonParts,
  settings: RunSettings = {},
): KeyParts {
  const parts: KeyParts = {
    instruction: 'RUN',
    args: JSON.stringify(operation.args),
    user: operation.user,
    cwd: operation.cwd,
    network: operation.network,
    security: operation.security,
    hostname: operation.hostname,
    ...settingParts(settings),
    ...commonParts(common),
  };
  for (const entry of operation.env) {
    const at = entry.indexOf('=');
    parts[`env ${entry.slice(0, at)}`] = entry.slice(at + 1);
  }
  // The order of variables can be observed too.
  parts['env order'] = operation.env.map((entry) => entry.slice(0, entry.indexOf('='))).join(' ');
  for (const [index, { name, required }] of (operation.devices ?? []).entries()) {
    parts[`device ${index}`] = required ? `${name} required` : name;
  }
  for (const script of operation.scripts) parts[`script ${script.name}`] = script.content;
  for (const [index, mount] of operation.mounts.entries()) {
    parts[`mount ${index}`] = mountPart(mount);
    const content = contents.get(index);
    if (content !== undefined) parts[`mount ${index} content`] = content;
  }
  return parts;
}

/** Names of hosts count, their addresses do not: Docker's rule, since those change from machine to machine. */
function settingParts({ extraHosts = [], ulimits = [], shmSize }: RunSettings): KeyParts {
  return {
    ...(extraHosts.length === 0 ? {} : { hosts: extraHosts.map(({ name }) => name).join(' ') }),
    ...(ulimits.length === 0
      ? {}
      : { ulimits: ulimits.map(({ type, soft, hard }) => `${type}=${soft}:${hard}`).join(' ') }),
    ...(shmSize === undefined ? {} : { 'shm size': String(shmSize) }),
  };
}

/** Parts of a COPY's or ADD's key; `content` is the digest of the files that it selects. */
export function copyParts(operation: CopyOperation, content: string, common: CommonParts): KeyParts {
  const { instruction, destination, chown, chmod, link, parents, unpack } = operation;
  const parts: KeyParts = { instruction, destination, content, ...timeParts(common) };
  if (chown !== undefined) parts.chown = chown;
  if (chmod !== undefined) parts.chmod = chmod;
  if (link) parts.link = 'true';
  if (parents) parts.parents = 'true';
  if (unpack !== undefined) parts.unpack = String(unpack);
  for (const heredoc of operation.heredocs) parts[`file ${heredoc.name}`] = heredoc.content;
  if (operation.heredocs.length > 1)
    parts['file order'] = operation.heredocs.map(({ name }) => name).join(' ');
  return parts;
}

/** Parts of a WORKDIR's key. */
export function workdirParts(operation: WorkdirOperation, common: CommonParts): KeyParts {
  return { instruction: 'WORKDIR', path: operation.path, user: operation.user, ...timeParts(common) };
}

function commonParts(common: CommonParts): KeyParts {
  const { os, architecture, variant } = common.platform;
  return { platform: [os, architecture, variant].filter(Boolean).join('/'), ...timeParts(common) };
}

function timeParts({ epoch }: CommonParts): KeyParts {
  return epoch === undefined ? {} : { epoch: String(epoch) };
}

function mountPart(mount: RunMount): string {
  const { type, target } = mount;
  switch (mount.type) {
    case 'bind':
      return `${type} ${target} ${mount.readWrite ? 'rw' : 'ro'}`;
    case 'cache':
      return `${type} ${target} ${mount.readOnly ? 'ro' : 'rw'}`;
    case 'tmpfs':
      return `${type} ${target} ${mount.size ?? ''}`;
    case 'secret':
      return `${type} ${mount.id} ${target ?? ''} ${mount.env ?? ''} ${mount.mode} ${mount.uid} ${mount.gid}`;
    case 'ssh':
      return `${type} ${mount.id} ${target} ${mount.mode} ${mount.uid} ${mount.gid}`;
  }
}
