import type { FileOutput, RegistryOutput } from '../engine/output-options.ts';
import { SlipwayError } from '../errors/index.ts';
import { addAnnotation } from './annotations.ts';
import { readBoolean, readCompression, readLevel } from './compression-keys.ts';

export const OUTPUT_TYPES = ['local', 'tar', 'oci', 'docker', 'image', 'registry', 'cacheonly'] as const;

export type OutputType = (typeof OUTPUT_TYPES)[number];

/** Where a result goes, as `-o` says it. */
export interface OutputSpec
  extends Pick<
      FileOutput,
      | 'annotations'
      | 'compression'
      | 'compressionLevel'
      | 'forceCompression'
      | 'mediaTypes'
      | 'mode'
      | 'platformSplit'
    >,
    Pick<RegistryOutput, 'pushByDigest' | 'nameCanonical' | 'insecure'> {
  type: Exclude<OutputType, 'registry'>;
  /** An `image` that is pushed; `type=registry` stands for that. */
  push?: boolean;
  /** Path; `-` is standard output. Undefined: standard output for tar and oci, the store for docker. */
  dest: string | undefined;
  /** False: a directory instead of an archive (`oci`, `docker`). */
  tar: boolean;
  /** Names that the image gets. */
  names: string[];
  /** False: `image` leaves nothing in the store. */
  store?: boolean;
  /** For the whole build: whether SOURCE_DATE_EPOCH bounds the times of files. */
  rewriteTimestamp?: boolean;
}

type Found = Partial<OutputSpec>;

interface Key {
  /** Types that know it in BuildKit. */
  types: readonly OutputType[];
  /** What the value means. Throws `usage` for one that makes no sense or cannot be had. */
  read(value: string, type: OutputType): Found;
}

const ARCHIVES: readonly OutputType[] = ['oci', 'docker'];
const IMAGES: readonly OutputType[] = ['image', ...ARCHIVES];
const FILES: readonly OutputType[] = ['local', 'tar'];

/** Every key that BuildKit's exporters know (SPEC 3.2): it works, or says in one line why not. */
const KEYS: Readonly<Record<string, Key>> = {
  dest: { types: [...FILES, ...ARCHIVES], read: (value) => (value === '' ? {} : { dest: value }) },
  tar: { types: ARCHIVES, read: (value) => ({ tar: boolean('tar', value) }) },
  name: { types: IMAGES, read: (value) => ({ names: value.split(',').filter((name) => name !== '') }) },
  mode: { types: ['local'], read: readMode },
  'platform-split': {
    types: FILES,
    read: (value) => ({ platformSplit: boolean('platform-split', value) }),
  },
  compression: {
    types: IMAGES,
    read: (value) => ({ compression: readCompression(value, 'output key ', invalid) }),
  },
  'compression-level': {
    types: IMAGES,
    read: (value) => ({ compressionLevel: readLevel(value, invalid) }),
  },
  'force-compression': {
    types: IMAGES,
    read: (value) => ({ forceCompression: boolean('force-compression', value) }),
  },
  'oci-mediatypes': {
    types: IMAGES,
    read: (value) => ({ mediaTypes: boolean('oci-mediatypes', value) ? 'oci' : 'docker' }),
  },
  'rewrite-timestamp': {
    types: [...IMAGES, ...FILES],
    read: (value) => ({ rewriteTimestamp: boolean('rewrite-timestamp', value) }),
  },
  store: { types: ['image'], read: (value) => ({ store: boolean('store', value) }) },
  // Layers in the store are unpacked however they got there; whoever says no only wants to save the time.
  unpack: {
    types: ['image'],
    read: (value) => {
      boolean('unpack', value);
      return {};
    },
  },
  push: { types: ['image'], read: (value) => ({ push: boolean('push', value) }) },
  'push-by-digest': {
    types: ['image'],
    read: (value) => ({ pushByDigest: boolean('push-by-digest', value) }),
  },
  'registry.insecure': {
    types: ['image'],
    read: (value) => ({ insecure: boolean('registry.insecure', value) }),
  },
  'name-canonical': {
    types: ['image'],
    read: (value) => ({ nameCanonical: boolean('name-canonical', value) }),
  },
  'dangling-name-prefix': {
    types: IMAGES,
    read: () => {
      throw refused('dangling-name-prefix', 'an image without a name is known by its id');
    },
  },
  'oci-artifact': onlyWhen(IMAGES, 'oci-artifact', false, 'this version makes no attestations'),
  'prefer-nondist-layers': onlyWhen(
    IMAGES,
    'prefer-nondist-layers',
    false,
    'layers that may not be distributed are written as any other',
  ),
  'compatibility-version': {
    types: IMAGES,
    read: (value) => {
      if (value === '30') return {};
      throw refused(
        'compatibility-version',
        'only 30 can be had; oci-mediatypes=false gives older media types',
      );
    },
  },
  context: {
    types: ['docker'],
    read: () => {
      throw refused('context', 'there is no daemon');
    },
  },
};

/** Reads one key of an output. Throws `usage`, code OUTPUT_INVALID. */
export function readOutputKey(key: string, value: string, type: OutputType): Found {
  const annotation = /^annotation(?:-([a-z-]+))?(\[[^\]]*\])?\.(.+)$/.exec(key);
  if (annotation !== null && IMAGES.includes(type)) {
    const [, level = 'manifest', platform = '', name] = annotation;
    return { annotations: addAnnotation({}, { place: `${level}${platform}`, key: name!, value }) };
  }
  const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  if (known === undefined) throw refused(key, 'no output type knows it');
  if (!known.types.includes(type)) throw refused(key, `the output types that know it do not include ${type}`);
  return known.read(value, type);
}

/** A boolean of which only one value can be had. */
function onlyWhen(types: readonly OutputType[], key: string, wanted: boolean, why: string): Key {
  return {
    types,
    read: (value) => {
      if (boolean(key, value) !== wanted) throw refused(`${key}=${value}`, why);
      return {};
    },
  };
}

function readMode(value: string): Found {
  if (value === 'copy') return {};
  if (value === 'delete') return { mode: value };
  throw invalid(`invalid mode ${value} for local exporter`, 'The modes are copy and delete.');
}

/** `unpack` alone stands for true. */
function boolean(key: string, text: string): boolean {
  return text === '' || readBoolean(key, text, invalid);
}

function refused(key: string, why: string): SlipwayError {
  return invalid(`output key ${key} is not supported: ${why}`);
}

/** The error of an output that makes no sense. */
export function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'OUTPUT_INVALID', hint });
}
