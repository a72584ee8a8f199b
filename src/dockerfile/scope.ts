import { formatPlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';

/**
 * Variables in the order in which a process sees them: setting one again moves it to the end, as BuildKit's list
 * does.
 */
export class EnvList {
  private readonly values: Map<string, string>;

  constructor(entries: Iterable<readonly [string, string]> = []) {
    this.values = new Map();
    for (const [key, value] of entries) this.set(key, value);
  }

  /** From `KEY=value` texts; one without `=` is empty. */
  static parse(entries: Iterable<string>): EnvList {
    const list = new EnvList();
    for (const entry of entries) list.set(...splitPair(entry));
    return list;
  }

  get(key: string): string | undefined {
    return this.values.get(key);
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  set(key: string, value: string): void {
    this.values.delete(key);
    this.values.set(key, value);
  }

  keys(): string[] {
    return [...this.values.keys()];
  }

  /** `KEY=value`. */
  toArray(): string[] {
    return Array.from(this.values, ([key, value]) => `${key}=${value}`);
  }

  clone(): EnvList {
    return new EnvList(this.values);
  }
}

/** An ARG of a stage with the value it has there. */
export interface StageArg {
  key: string;
  value: string | undefined;
}

/** What the instructions of a stage see (SPEC 1.6). */
export interface StageScope {
  /** ENV and ARG together, in order: the later statement wins. */
  env: EnvList;
  /** Every ARG of the stage and its parents, repeated ones too. */
  args: StageArg[];
}

/** Arguments that BuildKit keeps out of the environment. */
const ARGS_OUTSIDE_ENV = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** In the order in which BuildKit adds them. */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Build arguments that mean something to the builder without any ARG. */
const STEERING_ARGS = new Set([
  'BUILDKIT_BUILD_NAME',
  'BUILDKIT_CACHE_MOUNT_NS',
  'BUILDKIT_CONTEXT_KEEP_GIT_DIR',
  'BUILDKIT_INLINE_CACHE',
  'BUILDKIT_MULTI_PLATFORM',
  'BUILDKIT_SANDBOX_HOSTNAME',
  'BUILDKIT_SYNTAX',
  'BUILDKIT_DOCKERFILE_CHECK',
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
  'SOURCE_DATE_EPOCH',
]);

/** The automatic arguments (SPEC 1.6), each replaced by a build argument of that name. */
export function automaticArgs(options: {
  platform: Platform;
  buildPlatform: Platform;
  /** Name of the target stage; empty for one without. */
  targetStage: string;
  buildArgs: ReadonlyMap<string, string>;
}): EnvList {
  const { platform, buildPlatform, buildArgs } = options;
  const values: [string, string][] = [
    ['BUILDPLATFORM', formatPlatform({ ...buildPlatform, osVersion: '' })],
    ['BUILDOS', buildPlatform.os],
    ['BUILDOSVERSION', buildPlatform.osVersion ?? ''],
    ['BUILDARCH', buildPlatform.architecture],
    ['BUILDVARIANT', buildPlatform.variant ?? ''],
    ['TARGETPLATFORM', formatPlatform(platform)],
    ['TARGETOS', platform.os],
    ['TARGETOSVERSION', platform.osVersion ?? ''],
    ['TARGETARCH', platform.architecture],
    ['TARGETVARIANT', platform.variant ?? ''],
    ['TARGETSTAGE', options.targetStage === '' ? 'default' : options.targetStage],
  ];
  return new EnvList(values.map(([key, value]) => [key, buildArgs.get(key) ?? value] as const));
}

/**
 * Declares an ARG in a stage: its value is the build argument, else the default, else the global argument, else
 * none, and then an ENV of that name stays visible.
 */
export function declareArg(
  scope: StageScope,
  arg: { key: string; defaultValue: string | undefined },
  outer: { globals: EnvList; buildArgs: ReadonlyMap<string, string> },
): void {
  const { key, defaultValue } = arg;
  const value = outer.buildArgs.get(key) ?? defaultValue ?? outer.globals.get(key);
  if (value !== undefined && !ARGS_OUTSIDE_ENV.has(key)) scope.env.set(key, value);
  scope.args.push({ key, value });
}

/** True when a use of the name in a stage is no mistake, though it has no value. */
export function isDeclared(scope: StageScope, name: string): boolean {
  return ARGS_OUTSIDE_ENV.has(name) || scope.args.some((arg) => arg.key === name);
}

/** What stands before the command in a RUN's history: `|2 a=1 b=`, as separate words. */
export function argPrefix(scope: StageScope): string[] {
  const values = new Map<string, string>();
  for (const { key, value } of scope.args) values.set(key, scope.env.get(key) ?? value ?? '');
  if (values.size === 0) return [];
  return [`|${values.size}`, ...Array.from(values, ([key, value]) => `${key}=${value}`)];
}

/**
 * Proxy arguments that are given without an ARG: every RUN sees them, in both spellings, and nothing else does.
 * Those that `env` holds by itself are left out.
 */
export function proxyEnv(buildArgs: ReadonlyMap<string, string>, env: EnvList): string[] {
  const result: string[] = [];
  for (const name of PROXIES) {
    // Docker takes the names in any case; of two, the one that sorts last counts.
    const given = [...buildArgs.keys()].filter((key) => key.toUpperCase() === name).sort();
    const value = given.length === 0 ? '' : buildArgs.get(given.at(-1)!)!;
    if (value === '') continue;
    for (const key of [name, name.toLowerCase()]) {
      if (!env.has(key)) result.push(`${key}=${value}`);
    }
  }
  return result;
}

/** Build arguments that no ARG (`declared`) asks for and that mean nothing by themselves. */
export function unusedBuildArgs(
  buildArgs: ReadonlyMap<string, string>,
  declared: ReadonlySet<string>,
): string[] {
  return [...buildArgs.keys()].filter(
    (key) =>
      !declared.has(key) &&
      !STEERING_ARGS.has(key) &&
      !PROXIES.includes(key.toUpperCase()) &&
      !/^(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/.test(key) &&
      key !== 'TARGETSTAGE',
  );
}

function splitPair(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
