import { statSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import { aboutFlag } from '../../errors/subject.ts';
import type { RunDevice, RunOperation } from '../../plan/types.ts';
import type { ContainerDevice, Mount } from '../../runtime/types.ts';
import type { WorkerHost } from '../worker/host.ts';
import { type CdiDevice, readCdiDevices, type UnreadSpec } from './cdi-specs.ts';

/** What the devices of a RUN bring into its container. */
export interface PreparedDevices {
  mounts: Mount[];
  env: string[];
  nodes: ContainerDevice[];
}

const NONE: PreparedDevices = { mounts: [], env: [], nodes: [] };

/**
 * `RUN --device` (SPEC 1.8): what CDI specifications of this machine say about the devices that a step names. One that
 * is not there is left out, unless it is required.
 *
 * Throws `denied` (`DEVICE_NOT_ALLOWED`) without the entitlement, `not-found` (`DEVICE_NOT_FOUND`), `unsupported`
 * (`DEVICE_UNSUPPORTED`) for one that wants more than nodes, mounts and variables.
 */
export function prepareDevices(
  operation: Pick<RunOperation, 'devices' | 'allowedDevices'>,
  host: Pick<WorkerHost, 'tier'>,
): PreparedDevices {
  const { devices = [], allowedDevices = [] } = operation;
  if (devices.length === 0) return NONE;
  const { devices: known, unread } = readCdiDevices();
  const byFlag = devices.map((device, index) =>
    aboutFlag('device', index, () => find(device, known, unread)),
  );
  const found = new Set(byFlag.flat());
  const isDenied = ({ name }: CdiDevice): boolean => !isAllowed(name, allowedDevices);
  const denied = [...found].filter(isDenied).map(({ name }) => name);
  if (denied.length > 0) {
    const many = denied.length > 1;
    throw new SlipwayError(
      'denied',
      `${many ? 'devices' : 'device'} ${denied.join(', ')} ${many ? 'are' : 'is'} requested by the build but not allowed`,
      {
        code: 'DEVICE_NOT_ALLOWED',
        subject: { part: 'flag', name: 'device', index: byFlag.findIndex((given) => given.some(isDenied)) },
        hint: `Build with --allow device=${denied[0]} if you trust this Dockerfile.`,
      },
    );
  }
  if (found.size > 0 && host.tier === 'none') {
    throw unsupported([...found][0]!.name, '--isolation=none mounts nothing');
  }
  const prepared: PreparedDevices = { mounts: [], env: [], nodes: [] };
  for (const device of found) addDevice(device, prepared);
  return prepared;
}

function find(device: RunDevice, known: readonly CdiDevice[], unread: readonly UnreadSpec[]): CdiDevice[] {
  const equals = device.name.indexOf('=');
  const kind = equals === -1 ? device.name : device.name.slice(0, equals);
  const name = equals === -1 ? '' : device.name.slice(equals + 1);
  const ofKind = known.filter((candidate) => candidate.name.startsWith(`${kind}=`));
  const named =
    name === '' ? ofKind.slice(0, 1) : ofKind.filter((one) => name === '*' || one.name === device.name);
  const found = named.length > 0 ? named : known.filter((one) => one.annotatedClass === device.name);
  if (found.length > 0) return found;
  const inYaml = unread.find(({ text }) => text.includes(kind));
  if (inYaml !== undefined) throw inYamlOnly(device, inYaml);
  if (!device.required) return [];
  throw new SlipwayError('not-found', `required device ${JSON.stringify(device.name)} is not registered`, {
    code: 'DEVICE_NOT_FOUND',
    hint: 'Devices are described by CDI specifications in /etc/cdi and /var/run/cdi.',
  });
}

/** Left out silently, a device that the machine has would be missed. */
function inYamlOnly({ name }: RunDevice, { path }: UnreadSpec): SlipwayError {
  const message = `device ${JSON.stringify(name)} seems to be described by ${path}, and specifications in YAML are not read`;
  return new SlipwayError('unsupported', message, {
    code: 'DEVICE_SPEC_YAML',
    hint: 'Write it as JSON beside it (nvidia-ctk cdi generate --format=json, or yq -o=json).',
  });
}

/** `--allow device` allows all, `--allow device=NAME` a device or its kind. */
function isAllowed(name: string, allowed: readonly string[]): boolean {
  const kind = name.slice(0, name.indexOf('='));
  return allowed.some((one) => one === '*' || one === name || one === kind || one === `${kind}=*`);
}

function addDevice(device: CdiDevice, prepared: PreparedDevices): void {
  for (const { env, deviceNodes, mounts, hooks } of device.edits) {
    if (hooks) throw unsupported(device.name, 'its specification asks for programs of this machine (hooks)');
    prepared.env.push(...env);
    for (const { path, hostPath } of deviceNodes) {
      prepared.nodes.push(nodeOf(device.name, hostPath));
      prepared.mounts.push(bind(hostPath, path, ['dev', 'nosuid', 'noexec']));
    }
    for (const { hostPath, containerPath, options } of mounts) {
      const kept = options.filter((option) => ['ro', 'rw', 'noexec'].includes(option));
      prepared.mounts.push(bind(hostPath, containerPath, ['rbind', 'nosuid', 'nodev', ...kept]));
    }
  }
}

function bind(source: string, target: string, options: string[]): Mount {
  return { type: 'bind', source, target, options };
}

function nodeOf(name: string, path: string): ContainerDevice {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isCharacterDevice() && !stat?.isBlockDevice()) {
    throw unsupported(name, `${path} is no device of this machine`);
  }
  const { rdev } = stat;
  const major = Math.floor((rdev % 2 ** 20) / 2 ** 8) % 2 ** 12;
  const minor = (rdev % 2 ** 8) + Math.floor(rdev / 2 ** 20) * 2 ** 8;
  return { type: stat.isBlockDevice() ? 'b' : 'c', major, minor };
}

function unsupported(name: string, why: string): SlipwayError {
  return new SlipwayError('unsupported', `device ${name} cannot be given to a step: ${why}`, {
    code: 'DEVICE_UNSUPPORTED',
  });
}
