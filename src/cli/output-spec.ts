import { SlipwayError } from '../errors/index.ts';
import { parseCsvRecord } from './flags/go-values.ts';

/** Where a result goes, as `-o` says it. */
export interface OutputSpec {
  type: 'local' | 'tar' | 'oci' | 'docker' | 'image' | 'cacheonly';
  /** Path; `-` is standard output. Undefined: standard output for tar and oci, the store for docker. */
  dest: string | undefined;
  /** False: a directory instead of an archive (`oci`, `docker`). */
  tar: boolean;
  /** For `image`: names it gets. */
  names: string[];
}

const TYPES = ['local', 'tar', 'oci', 'docker', 'image', 'cacheonly'] as const;

/** Keys that Docker's exporters know and this version cannot serve. */
const REFUSED_KEYS: Record<string, string> = {
  push: 'there is no registry client in this version',
  'push-by-digest': 'there is no registry client in this version',
};

/** What each type takes besides `type`. */
const KEYS: Record<OutputSpec['type'], readonly string[]> = {
  local: ['dest'],
  tar: ['dest'],
  oci: ['dest', 'tar', 'name'],
  docker: ['dest', 'tar', 'name'],
  image: ['name'],
  cacheonly: [],
};

/**
 * Reads one `-o` as buildx does: CSV of `key=value`; a bare path stands for `type=local,dest=path` and `-` for a tar
 * on standard output. Throws `usage`, code OUTPUT_INVALID, with buildx's words where it has them.
 */
export function parseOutput(text: string): OutputSpec {
  const fields = parseCsvRecord(text);
  if (fields.length === 1 && fields[0] === text && !text.startsWith('type=')) {
    if (text === '') throw invalid('type is required for output');
    return text === '-' ? spec('tar', { dest: '-' }) : spec('local', { dest: text });
  }
  const values = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid value ${field}`);
    values.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  const type = values.get('type');
  if (type === undefined || type === '') throw invalid('type is required for output');
  if (type === 'registry')
    throw invalid('output type=registry is not supported: there is no registry client in this version');
  if (!isType(type)) {
    throw invalid(`exporter "${type}" could not be found`, `The types are ${TYPES.join(', ')}.`);
  }
  for (const key of values.keys()) {
    if (key === 'type' || KEYS[type].includes(key)) continue;
    const why = REFUSED_KEYS[key] ?? `the output types that know it do not include ${type} in this version`;
    throw invalid(`output key ${key} is not supported: ${why}`);
  }
  const dest = values.get('dest');
  if (type === 'local' && (dest === undefined || dest === '')) {
    throw invalid('dest is required for local exporter');
  }
  if (type === 'local' && dest === '-') {
    throw invalid('dest cannot be stdout for local exporter', 'For a tar on standard output write -o -.');
  }
  const tar = values.has('tar') ? boolean('tar', values.get('tar')!) : true;
  if (!tar && (dest === undefined || dest === '' || dest === '-')) {
    throw invalid(`dest is required for ${type} exporter with tar=false`);
  }
  const names = (values.get('name') ?? '').split(',').filter((name) => name !== '');
  return spec(type, { ...(dest === undefined || dest === '' ? {} : { dest }), tar, names });
}

function spec(type: OutputSpec['type'], given: Partial<OutputSpec>): OutputSpec {
  return { type, dest: undefined, tar: true, names: [], ...given };
}

function isType(text: string): text is OutputSpec['type'] {
  return (TYPES as readonly string[]).includes(text);
}

/** strconv.ParseBool, whose failure buildx words in its own way. */
function boolean(key: string, text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalid(`non-bool value specified for ${key}`);
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'OUTPUT_INVALID', hint });
}
