import { byteSize } from '../../dockerfile/byte-size.ts';
import { goQuote } from '../../dockerfile/go-text.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { RunSettings } from '../../execute/executor.ts';
import type { ProcessLimit, ResourceLimits } from '../../runtime/resources.ts';
import type { FlagTable, FlagValues } from '../flags/definition.ts';
import { parseCsvRecord, parseInteger } from '../flags/go-values.ts';

/** Flags of `build` that hold for every RUN. Those of limits also are the classic builder's. */
export const stepFlags = {
  'add-host': { type: 'strings', usage: 'Add a custom host-to-IP mapping (format: "host:ip")' },
  'cgroup-parent': {
    type: 'string',
    usage: 'Set the parent cgroup for the "RUN" instructions during build',
  },
  'cpu-period': { type: 'int', usage: 'Limit the CPU CFS (Completely Fair Scheduler) period' },
  'cpu-quota': { type: 'int', usage: 'Limit the CPU CFS (Completely Fair Scheduler) quota' },
  'cpu-shares': { type: 'int', short: 'c', usage: 'CPU shares (relative weight)' },
  'cpuset-cpus': { type: 'string', usage: 'CPUs in which to allow execution (0-3, 0,1)' },
  'cpuset-mems': { type: 'string', usage: 'MEMs in which to allow execution (0-3, 0,1)' },
  memory: { type: 'string', short: 'm', valueName: 'bytes', check: bytes, usage: 'Memory limit' },
  'memory-swap': {
    type: 'string',
    valueName: 'bytes',
    check: bytesOrAny,
    usage: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
  },
  resource: {
    type: 'list',
    check: resources,
    usage: 'Limit of each "RUN" instruction (e.g., "memory=1g,cpu-quota=50000")',
  },
  'shm-size': {
    type: 'string',
    valueName: 'bytes',
    check: bytes,
    usage: 'Shared memory size for build containers',
  },
  ulimit: { type: 'list', valueName: 'ulimit', default: '[]', check: ulimit, usage: 'Ulimit options' },
} as const satisfies FlagTable;

/** What these flags ask for. Throws `usage` with buildx's words for a host; the rest was checked by the parser. */
export function stepSettings(flags: FlagValues<typeof stepFlags>): RunSettings {
  const extraHosts = flags['add-host'].map(extraHost);
  const ulimits = [...new Map(flags.ulimit.map(ulimit).map((limit) => [limit.type, limit])).values()];
  const limits: ResourceLimits = {
    ...(flags.memory === '' ? {} : { memory: bytes(flags.memory) }),
    ...(flags['memory-swap'] === '' ? {} : { memorySwap: bytesOrAny(flags['memory-swap']) }),
    ...(flags['cpu-shares'] === 0 ? {} : { cpuShares: flags['cpu-shares'] }),
    ...(flags['cpu-quota'] === 0 ? {} : { cpuQuota: flags['cpu-quota'] }),
    ...(flags['cpu-period'] === 0 ? {} : { cpuPeriod: flags['cpu-period'] }),
    ...(flags['cpuset-cpus'] === '' ? {} : { cpusetCpus: flags['cpuset-cpus'] }),
    ...(flags['cpuset-mems'] === '' ? {} : { cpusetMems: flags['cpuset-mems'] }),
    ...Object.assign({}, ...flags.resource.map(resources)),
  };
  checkMemory(limits);
  return {
    ...(extraHosts.length === 0 ? {} : { extraHosts }),
    ...(ulimits.length === 0 ? {} : { ulimits }),
    ...(flags['shm-size'] === '' ? {} : { shmSize: bytes(flags['shm-size']) }),
    ...(Object.keys(limits).length === 0 ? {} : { resources: limits }),
    ...(flags['cgroup-parent'] === '' ? {} : { cgroupParent: flags['cgroup-parent'] }),
  };
}

const LEAST_MEMORY = 6 * 1024 * 1024;

/** The engine's own rules. */
function checkMemory({ memory, memorySwap }: ResourceLimits): void {
  if (memory !== undefined && memory < LEAST_MEMORY) throw usage('Minimum memory limit allowed is 6MB');
  if (memorySwap === undefined || memorySwap === -1) return;
  if (memory === undefined) {
    throw usage('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (memorySwap < memory) {
    throw usage('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
}

/** `name:ip`, `name=ip`, an IPv6 address in brackets or without, `name:host-gateway`. */
function extraHost(text: string): { name: string; address: string } {
  // The help of a command must not load the network.
  const { isIP } = process.getBuiltinModule('node:net');
  for (const separator of ['=', ':']) {
    const at = text.indexOf(separator);
    if (at <= 0 || at === text.length - 1) continue;
    const address = text.slice(at + 1).replace(/^\[(.+)\]$/, '$1');
    const name = text.slice(0, at);
    if (/\s/.test(name) || (isIP(address) === 0 && address !== 'host-gateway')) break;
    return { name, address };
  }
  throw usage(
    `invalid host ${text}`,
    'Write --add-host NAME:ADDRESS, or NAME:host-gateway for this machine.',
  );
}

const ULIMITS =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );

/** `name=soft[:hard]`, as docker/go-units reads it. */
function ulimit(text: string): ProcessLimit {
  const equals = text.indexOf('=');
  if (equals < 0) throw usage(`invalid ulimit argument: ${text}`);
  const type = text.slice(0, equals);
  if (!ULIMITS.includes(type)) throw usage(`invalid ulimit type: ${type}`);
  const values = text.slice(equals + 1);
  const parts = values.split(':');
  if (parts.length > 2) {
    throw usage(`too many limit value arguments - ${values}, can only have up to two, \`soft[:hard]\``);
  }
  const soft = parseInteger(parts[0]!);
  const hard = parts[1] === undefined ? soft : parseInteger(parts[1]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    const shown = soft === -1 ? `soft: -1 (unlimited), hard: ${hard}` : `${soft} > ${hard}`;
    throw usage(`ulimit soft limit must be less than or equal to hard limit: ${shown}`);
  }
  return { type, soft, hard };
}

/** CSV of `key=value` (SPEC 3.1). */
function resources(text: string): ResourceLimits {
  const limits: ResourceLimits = {};
  for (const field of parseCsvRecord(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw usage(`invalid resource ${goQuote(field)}, expected key=value`);
    const [key, value] = [field.slice(0, equals).trim(), field.slice(equals + 1)];
    if (key === 'memory') limits.memory = bytes(value);
    else if (key === 'memory-swap') limits.memorySwap = bytesOrAny(value);
    else if (key === 'cpu-shares') limits.cpuShares = parseInteger(value);
    else if (key === 'cpu-quota') limits.cpuQuota = parseInteger(value);
    else if (key === 'cpu-period') limits.cpuPeriod = parseInteger(value);
    else if (key === 'cpuset-cpus') limits.cpusetCpus = value;
    else if (key === 'cpuset-mems') limits.cpusetMems = value;
    else throw usage(`unknown resource ${goQuote(key)}`);
  }
  return limits;
}

function bytes(text: string): number {
  const size = byteSize(text);
  if (size === undefined) throw usage(`invalid size: '${text}'`);
  return size;
}

function bytesOrAny(text: string): number {
  return text === '-1' ? -1 : bytes(text);
}

function usage(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'STEP_SETTING_INVALID', hint });
}
