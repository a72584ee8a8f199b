import { goJson } from './go-json.ts';
import { asObject, asString, invalid, type JsonObject, optional, parseJsonObject } from './json-guard.ts';
import { rawMembers } from './raw-members.ts';
import { goTimeText, parseTime } from './time.ts';
import type { Digest, HistoryEntry } from './types.ts';

/** What stands below an image of specification v1: nothing, or the configuration of its parent. */
export interface V1Parent {
  history: readonly HistoryEntry[];
  diffIds: readonly Digest[];
}

/** Members that say where the image stood among others, or what is now said otherwise. */
const DROPPED = new Set(['id', 'parent', 'Size', 'parent_id', 'layer_id', 'throwaway']);

/** Before it engines wrote members that nobody reads: only known ones are taken from them. */
const TRUSTED_VERSION = [1, 8, 3];

/**
 * Makes today's configuration of the `json` document of image specification v1, byte for byte as Docker does when it
 * loads one, so that the image has the same id. `diffId` is that of the image's own layer.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`
 */
export function configOfV1(bytes: Buffer, parent: V1Parent, diffId: Digest): { config: Buffer } & V1Parent {
  const what = 'image of specification v1';
  const root = parseJsonObject(bytes, what);
  const history = [...parent.history, historyEntry(root, what)];
  const diffIds = [...parent.diffIds, diffId];
  const { docker_version: version = '' } = optional(root, 'docker_version', what, asString);
  const text = isBefore(version, TRUSTED_VERSION) ? knownMembers(root, what) : bytes.toString('utf8');
  const members = rawMembers(text);
  for (const name of DROPPED) members.delete(name);
  members.set('rootfs', goJson({ type: 'layers', diff_ids: diffIds }));
  members.set('history', goJson(history));
  const config = objectText(sortedByName(members));
  return { config: Buffer.from(config, 'utf8'), history, diffIds };
}

function historyEntry(root: JsonObject, what: string): HistoryEntry {
  const { created, author, comment } = {
    ...optional(root, 'created', what, asString),
    ...optional(root, 'author', what, asString),
    ...optional(root, 'comment', what, asString),
  };
  const { container_config: made = {} } = optional(root, 'container_config', what, asObject);
  const command = Array.isArray(made.Cmd) ? made.Cmd.join(' ') : '';
  return {
    ...(created === undefined ? {} : { created: goTime(created, what) }),
    ...(command === '' ? {} : { created_by: command }),
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
  };
}

function goTime(text: string, what: string): string {
  if (parseTime(text) === undefined) throw invalid(`${what}.created is not an RFC 3339 time`);
  return goTimeText(text);
}

function isBefore(version: string, other: readonly number[]): boolean {
  const parts = version.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : 0));
  for (const [i, theirs] of other.entries()) {
    const ours = parts[i] ?? 0;
    if (ours !== theirs) return ours < theirs;
  }
  return false;
}

type Shape = 'text' | 'flag' | 'list' | 'map';

/** Members of Go's container.Config in their order, and whether an empty one is left out. */
const CONTAINER: readonly [name: string, shape: Shape, omitEmpty?: true][] = [
  ['Hostname', 'text'],
  ['Domainname', 'text'],
  ['User', 'text'],
  ['AttachStdin', 'flag'],
  ['AttachStdout', 'flag'],
  ['AttachStderr', 'flag'],
  ['ExposedPorts', 'map', true],
  ['Tty', 'flag'],
  ['OpenStdin', 'flag'],
  ['StdinOnce', 'flag'],
  ['Env', 'list'],
  ['Cmd', 'list'],
  ['Image', 'text'],
  ['Volumes', 'map'],
  ['WorkingDir', 'text'],
  ['Entrypoint', 'list'],
  ['NetworkDisabled', 'flag', true],
  ['MacAddress', 'text', true],
  ['OnBuild', 'list'],
  ['Labels', 'map'],
  ['StopSignal', 'text', true],
];

const EMPTY: Readonly<Record<Shape, unknown>> = { text: '', flag: false, list: null, map: null };

/** The document again with the members alone that are known, as text. */
function knownMembers(root: JsonObject, what: string): string {
  const text = (name: string): string | undefined => {
    const value = root[name];
    return value === undefined || value === null || value === ''
      ? undefined
      : goJson(asString(value, `${what}.${name}`));
  };
  const created = optional(root, 'created', what, asString).created;
  return objectText([
    ['comment', text('comment')],
    ['created', created === undefined ? 'null' : goJson(goTime(created, what))],
    ['container', text('container')],
    ['container_config', container(root.container_config ?? {}, `${what}.container_config`)],
    ['docker_version', text('docker_version')],
    ['author', text('author')],
    ['config', root.config == null ? undefined : container(root.config, `${what}.config`)],
    ['architecture', text('architecture')],
    ['variant', text('variant')],
    ['os', text('os')],
  ]);
}

function container(value: unknown, where: string): string {
  const object = asObject(value, where);
  return objectText(
    CONTAINER.map(([name, shape, omitEmpty]) => {
      const member = object[name] ?? EMPTY[shape];
      const empty =
        member === EMPTY[shape] || (shape === 'map' && Object.keys(member as object).length === 0);
      if (empty && omitEmpty === true) return [name, undefined];
      return [
        name,
        shape === 'map' && member !== null ? mapText(member, `${where}.${name}`) : goJson(member),
      ];
    }),
  );
}

/** Not through an object of JavaScript, which puts names that are numbers first. */
function mapText(value: unknown, where: string): string {
  const entries = Object.entries(asObject(value, where));
  return objectText(sortedByName(entries).map(([name, member]) => [name, goJson(member)]));
}

function objectText(members: readonly (readonly [name: string, text: string | undefined])[]): string {
  const texts = members.flatMap(([name, text]) => (text === undefined ? [] : [`${goJson(name)}:${text}`]));
  return `{${texts.join(',')}}`;
}

/** As Go sorts the keys of maps: by their bytes. */
function sortedByName<Value>(entries: Iterable<[string, Value]>): [string, Value][] {
  return [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
