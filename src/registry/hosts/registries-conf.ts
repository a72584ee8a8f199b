import { join } from 'node:path';
import type { ConfigPaths } from './config-paths.ts';
import { badConfig, listOptional, readOptional } from './read-optional.ts';

/** For what a mirror may be asked (`pull-from-mirror`). */
export type MirrorUse = 'all' | 'digest-only' | 'tag-only';

export interface MirrorRule {
  /** `host[:port][/path]`. */
  location: string;
  insecure: boolean;
  use: MirrorUse;
}

/** A `[[registry]]` table of registries.conf(5). */
export interface RegistryRule {
  /** What names begin with to which it applies; `*.example.com` stands for any host below. */
  prefix: string;
  /** What takes the prefix's place; undefined leaves names as they are. */
  location?: string;
  insecure: boolean;
  blocked: boolean;
  mirrors: readonly MirrorRule[];
  /** The file it stands in. */
  file: string;
}

/**
 * Reads registries.conf and its drop-ins, version 2, and of version 1 what is insecure and what is blocked. What they
 * say about short names is left aside: these are Docker Hub's here.
 *
 * @throws SlipwayError `REGISTRY_CONFIG`
 */
export async function readRegistriesConf(
  paths: Pick<ConfigPaths, 'registriesConf' | 'registriesConfD'>,
): Promise<RegistryRule[]> {
  const rules = new Map<string, RegistryRule>();
  for (const [file, text] of textsOf(paths)) {
    for (const rule of await readRules(file, text)) rules.set(rule.prefix, rule);
  }
  return [...rules.values()];
}

function textsOf(paths: Pick<ConfigPaths, 'registriesConf' | 'registriesConfD'>): [string, string][] {
  const main = paths.registriesConf
    .map((file) => [file, readOptional(file)] as const)
    .find((entry): entry is readonly [string, string] => entry[1] !== undefined);
  const dropIns = paths.registriesConfD.flatMap((folder) =>
    listOptional(folder)
      .filter((name) => name.endsWith('.conf'))
      .map((name) => [join(folder, name), readOptional(join(folder, name)) ?? ''] as [string, string]),
  );
  return [...(main === undefined ? [] : [[...main] as [string, string]]), ...dropIns];
}

/** The tables that are read here, `registries` and `registry`, of which the usual files have none. */
const NAMES_TABLE = /^\s*(?:\[+\s*["']?registr|["']?registr\w+["']?\s*(?:=\s*[[{]|\.))/m;

async function readRules(file: string, text: string): Promise<RegistryRule[]> {
  if (!NAMES_TABLE.test(text)) return [];
  const { parse } = await import('smol-toml');
  let root: Table;
  try {
    root = parse(text) as Table;
  } catch (cause) {
    throw badConfig(file, cause instanceof Error ? cause.message.split('\n')[0]! : 'it is not TOML', cause);
  }
  const tables = tablesOf(root, 'registry', file);
  const rules = tables.map((table) => ruleOf(table, file));
  return [...oldRules(root, file), ...rules];
}

type Table = Readonly<Record<string, unknown>>;

function ruleOf(table: Table, file: string): RegistryRule {
  const location = textOf(table, 'location', file);
  const prefix = textOf(table, 'prefix', file) ?? location;
  if (prefix === undefined || prefix === '')
    throw badConfig(file, 'a [[registry]] has no prefix and no location');
  if (location === undefined && !prefix.startsWith('*.')) throw badConfig(file, `${prefix} has no location`);
  const byDigest = flagOf(table, 'mirror-by-digest-only', file);
  const mirrors = tablesOf(table, 'mirror', file).map((mirror): MirrorRule => {
    const place = textOf(mirror, 'location', file);
    if (place === undefined) throw badConfig(file, `a mirror of ${prefix} has no location`);
    const use = textOf(mirror, 'pull-from-mirror', file) ?? (byDigest ? 'digest-only' : 'all');
    if (use !== 'all' && use !== 'digest-only' && use !== 'tag-only') {
      throw badConfig(file, `pull-from-mirror is ${JSON.stringify(use)}, not all, digest-only or tag-only`);
    }
    return { location: bare(place), insecure: flagOf(mirror, 'insecure', file), use };
  });
  return {
    prefix: bare(prefix),
    ...(location === undefined ? {} : { location: bare(location) }),
    insecure: flagOf(table, 'insecure', file),
    blocked: flagOf(table, 'blocked', file),
    mirrors,
    file,
  };
}

/** Version 1: `[registries.insecure]` and `[registries.block]` with lists of hosts. */
function oldRules(root: Table, file: string): RegistryRule[] {
  const { registries } = root;
  if (typeof registries !== 'object' || registries === null) return [];
  const listed = (kind: string): string[] => {
    const table = (registries as Table)[kind] as Table | undefined;
    const list = table?.registries ?? [];
    if (!Array.isArray(list)) throw badConfig(file, `registries.${kind}.registries is not a list`);
    return list.filter((one): one is string => typeof one === 'string').map(bare);
  };
  const insecure = new Set(listed('insecure'));
  const blocked = new Set(listed('block'));
  return [...new Set([...insecure, ...blocked])].map((prefix) => ({
    prefix,
    location: prefix,
    insecure: insecure.has(prefix),
    blocked: blocked.has(prefix),
    mirrors: [],
    file,
  }));
}

function tablesOf(table: Table, key: string, file: string): Table[] {
  const value = table[key] ?? [];
  const isTables =
    Array.isArray(value) &&
    value.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one));
  if (!isTables) throw badConfig(file, `${key} is not a list of tables: write [[${key}]]`);
  return value as Table[];
}

function textOf(table: Table, key: string, file: string): string | undefined {
  const value = table[key];
  if (value === undefined || typeof value === 'string') return value;
  throw badConfig(file, `${key} is not a text`);
}

function flagOf(table: Table, key: string, file: string): boolean {
  const value = table[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw badConfig(file, `${key} is not true or false`);
}

/** A location with a scheme is refused by the containers' tools too; a slash at the end is not minded. */
function bare(location: string): string {
  return location.replace(/\/+$/, '');
}
