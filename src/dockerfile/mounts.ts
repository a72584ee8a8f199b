import { SlipwayError } from '../errors/index.ts';
import { about } from '../errors/subject.ts';
import { byteSize } from './byte-size.ts';
import { splitCsv } from './csv.ts';
import { goQuote, parseGoBoolean, parseGoUint32 } from './go-text.ts';
import { didYouMean, suggest } from './suggest.ts';

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
export type CacheSharing = 'shared' | 'private' | 'locked';

/** A `RUN --mount` as written, with its values expanded; defaults that need the stage are not filled in. */
export interface MountSpec {
  type: MountType;
  from: string;
  source: string;
  target: string;
  readOnly: boolean;
  /** Bytes, of tmpfs. */
  size: number | undefined;
  id: string;
  sharing: CacheSharing | undefined;
  required: boolean;
  /** Variable that holds a secret; undefined when `env` is not given. */
  env: string | undefined;
  mode: number | undefined;
  uid: number | undefined;
  gid: number | undefined;
}

const TYPES: readonly MountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARING: readonly CacheSharing[] = ['shared', 'private', 'locked'];
const KEYS = `type from source target readonly id sharing required size mode uid gid src dst destination ro rw
  readwrite env`.split(/\s+/);

const ALIAS_HINT =
  'Name the image in a FROM line of its own (a global ARG may be used there), give that stage a name, and mount from it.';

/**
 * The check that Docker makes of every mount of a file before anything runs: its form, and that `from` has no
 * variable. Gives the value of `from` (empty for none).
 *
 * @throws SlipwayError `MOUNT_INVALID` with Docker's texts.
 */
export function checkMount(text: string): string {
  let from = '';
  for (const field of fieldsOf(text)) {
    const [key, value] = cut(field);
    if (key !== 'from' || value === undefined) continue;
    const dollar = value.indexOf('$');
    if (dollar !== -1 && dollar !== value.length - 1) {
      const message = `'${key}' doesn't support variable expansion, define alias stage instead`;
      throw aboutField(invalid(message, ALIAS_HINT), field);
    }
    from = value;
  }
  return from;
}

/**
 * Reads a mount (SPEC 1.9). `expand` puts variables in, field by field.
 *
 * @throws SlipwayError `MOUNT_INVALID` with Docker's texts, or what `expand` throws.
 */
export function parseMount(text: string, expand: (value: string) => string): MountSpec {
  const mount: MountSpec = {
    type: 'bind',
    from: '',
    source: '',
    target: '',
    readOnly: false,
    size: undefined,
    id: '',
    sharing: undefined,
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
  };
  let readOnlyGiven = false;
  for (const field of fieldsOf(text)) {
    const [key, raw] = cut(field);
    const isReadOnlyKey = key === 'readonly' || key === 'ro' || key === 'readwrite' || key === 'rw';
    if (isReadOnlyKey) readOnlyGiven = true;
    try {
      if (raw === undefined) applyBareKey(mount, key, field);
      else applyKey(mount, { key, value: expand(raw), field });
    } catch (error) {
      throw aboutField(error, field);
    }
  }
  if (!readOnlyGiven) mount.readOnly = mount.type !== 'cache' && mount.type !== 'tmpfs';
  checkCombination(mount);
  return mount;
}

function aboutField(error: unknown, field: string): unknown {
  return about(error, () => ({ part: 'flag', name: 'mount', field }));
}

function fieldsOf(text: string): string[] {
  const split = splitCsv(text);
  if ('error' in split) throw invalid(`failed to parse csv mounts: ${split.error}`);
  return split.fields;
}

function cut(field: string): [key: string, value: string | undefined] {
  const equals = field.indexOf('=');
  return equals === -1
    ? [field.toLowerCase(), undefined]
    : [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)];
}

function applyBareKey(mount: MountSpec, key: string, field: string): void {
  switch (key) {
    case 'readonly':
    case 'ro':
      mount.readOnly = true;
      return;
    case 'readwrite':
    case 'rw':
      mount.readOnly = false;
      return;
    case 'required':
      mount.required = allowRequired(mount, key);
      return;
    default:
      throw invalid(`invalid field '${field}' must be a key=value pair`);
  }
}

function applyKey(
  mount: MountSpec,
  { key, value, field }: { key: string; value: string; field: string },
): void {
  const boolean = (): boolean => {
    const parsed = parseGoBoolean(value);
    if (parsed === undefined) throw invalid(`invalid value for ${key}: ${value}`);
    return parsed;
  };
  const number = (base: 8 | 10): number => {
    const parsed = parseGoUint32(value, base);
    if (parsed === undefined) throw invalid(`invalid value ${value} for ${key}`);
    return parsed;
  };
  switch (key) {
    case 'type':
      mount.type = oneOf(TYPES, value, 'mount type');
      return;
    case 'sharing':
      mount.sharing = oneOf(SHARING, value, 'sharing value');
      return;
    case 'from':
      mount.from = value;
      return;
    case 'source':
    case 'src':
      mount.source = value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount.target = value;
      return;
    case 'readonly':
    case 'ro':
      mount.readOnly = boolean();
      return;
    case 'readwrite':
    case 'rw':
      mount.readOnly = !boolean();
      return;
    case 'required':
      mount.required = allowRequired(mount, key) && boolean();
      return;
    case 'size':
      if (mount.type !== 'tmpfs') throw unexpectedForType(key, mount.type);
      mount.size = parseSize(value);
      return;
    case 'id':
      mount.id = value;
      return;
    case 'mode':
      mount.mode = number(8);
      return;
    case 'uid':
      mount.uid = number(10);
      return;
    case 'gid':
      mount.gid = number(10);
      return;
    case 'env':
      mount.env = value;
      return;
    default:
      throw invalid(`unexpected key '${key}' in '${field}'${didYouMean(suggest(key, KEYS))}`);
  }
}

/** Rules on keys together; they hold whatever the order of the keys was. */
function checkCombination(mount: MountSpec): void {
  const { type } = mount;
  if (type === 'bind' || type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (mount[key] !== undefined) throw invalid(`${key} not allowed for "${type}" type mounts`);
    }
  }
  if (type === 'secret') {
    if (mount.from !== '') throw invalid('secret mount should not have a from');
    if (mount.sharing !== undefined) throw invalid('secret mount should not define sharing');
    if (mount.source === '' && mount.target === '' && mount.id === '') {
      throw invalid('invalid secret mount. one of source, target required');
    }
    if (mount.source !== '' && mount.id !== '') throw invalid("both source and id can't be set");
  }
  if (mount.sharing !== undefined && type !== 'cache') {
    throw invalid(`invalid cache sharing set for ${type} mount`);
  }
  if (type === 'ssh' && mount.source !== '') throw invalid('ssh does not support source');
}

function allowRequired(mount: MountSpec, key: string): true {
  if (mount.type !== 'secret' && mount.type !== 'ssh') throw unexpectedForType(key, mount.type);
  return true;
}

function parseSize(value: string): number {
  const size = byteSize(value);
  if (size === undefined) throw invalid(`invalid value for size: ${value}`);
  return size;
}

function oneOf<T extends string>(known: readonly T[], value: string, what: string): T {
  const found = known.find((candidate) => candidate === value.toLowerCase());
  if (found === undefined) {
    throw invalid(`unsupported ${what} ${goQuote(value)}${didYouMean(suggest(value, known))}`);
  }
  return found;
}

function unexpectedForType(key: string, type: MountType): SlipwayError {
  return invalid(
    `unexpected key '${key}' for mount type '${type}'`,
    `Put type= first: options are read from left to right.`,
  );
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('syntax', message, { code: 'MOUNT_INVALID', hint });
}
