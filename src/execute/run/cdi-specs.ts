import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';

/** What a CDI specification changes in a container (CNCF Container Device Interface 0.6), as far as it is used. */
export interface ContainerEdits {
  env: string[];
  deviceNodes: { path: string; hostPath: string }[];
  mounts: { hostPath: string; containerPath: string; options: string[] }[];
  /** It wants programs of the host to be run. */
  hooks: boolean;
}

/** A device that a specification describes. */
export interface CdiDevice {
  /** `vendor/class=name`. */
  name: string;
  /** What `org.mobyproject.buildkit.device.class` says. */
  annotatedClass: string | undefined;
  edits: ContainerEdits[];
}

/** A specification in YAML. */
export interface UnreadSpec {
  path: string;
  text: string;
}

/** Where specifications are, the later ones first in rank. */
const DIRECTORIES = ['/etc/cdi', '/var/run/cdi'];
const CLASS = 'org.mobyproject.buildkit.device.class';

/**
 * All devices of this machine, by name. Specifications in YAML are not understood; `unread` has them.
 *
 * Throws `invalid` (`CDI_SPEC`) for one that is no specification.
 */
export function readCdiDevices(directories: readonly string[] = DIRECTORIES): {
  devices: CdiDevice[];
  unread: UnreadSpec[];
} {
  const devices = new Map<string, CdiDevice>();
  const unread: UnreadSpec[] = [];
  for (const directory of directories) {
    for (const name of listing(directory)) {
      const path = join(directory, name);
      if (/\.ya?ml$/.test(name)) unread.push({ path, text: readFileSync(path, 'utf8') });
      if (!name.endsWith('.json')) continue;
      for (const device of devicesIn(path)) devices.set(device.name, device);
    }
  }
  return { devices: [...devices.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), unread };
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function devicesIn(path: string): CdiDevice[] {
  try {
    const spec = objectOf(JSON.parse(readFileSync(path, 'utf8')));
    const common = spec.containerEdits === undefined ? [] : [editsOf(spec.containerEdits)];
    return listOf(spec.devices).map((entry) => {
      const device = objectOf(entry);
      const annotations = { ...objectOf(spec.annotations ?? {}), ...objectOf(device.annotations ?? {}) };
      return {
        name: `${textOf(spec.kind)}=${textOf(device.name)}`,
        annotatedClass: annotations[CLASS] === undefined ? undefined : textOf(annotations[CLASS]),
        edits: [...common, ...(device.containerEdits === undefined ? [] : [editsOf(device.containerEdits)])],
      };
    });
  } catch (cause) {
    throw new SlipwayError('invalid', `${path} is no CDI specification: ${(cause as Error).message}`, {
      code: 'CDI_SPEC',
      cause,
    });
  }
}

function editsOf(value: unknown): ContainerEdits {
  const edits = objectOf(value);
  return {
    env: listOf(edits.env).map(textOf),
    deviceNodes: listOf(edits.deviceNodes).map((entry) => {
      const node = objectOf(entry);
      const path = textOf(node.path);
      return { path, hostPath: node.hostPath === undefined ? path : textOf(node.hostPath) };
    }),
    mounts: listOf(edits.mounts).map((entry) => {
      const mount = objectOf(entry);
      return {
        hostPath: textOf(mount.hostPath),
        containerPath: textOf(mount.containerPath),
        options: listOf(mount.options).map(textOf),
      };
    }),
    hooks: listOf(edits.hooks).length > 0,
  };
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error('an object is missing');
}

function listOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new Error('a list is missing');
}

function textOf(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error('a text is missing');
}
