import { resolve } from 'node:path';
import { goQuote } from '../dockerfile/go-text.ts';
import type { CacheFrom, CacheFromOptions, CacheTo, CacheToOptions } from '../engine/travel/options.ts';
import { SlipwayError } from '../errors/index.ts';
import { isSha256Digest } from '../image/digest.ts';
import { isTag, parseReference } from '../image/reference.ts';
import { parseByteSize } from './byte-size.ts';
import { checkLevel, readBoolean, readCompression, readLevel } from './compression-keys.ts';
import { parseCsvRecord } from './flags/go-values.ts';

/** Kinds that BuildKit has, with why there are none here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  gha: "GitHub's cache service cannot be had outside of its runners; type=registry with ghcr.io keeps a cache there",
  s3: 'write the cache with type=local and copy the directory, or use type=registry',
  azblob: 'write the cache with type=local and copy the directory, or use type=registry',
};

/**
 * Reads `--cache-from` as buildx does: names of images, or CSV of `key=value`. Relative paths are made absolute.
 *
 * @throws SlipwayError `usage` CACHE_INVALID with buildx's words where it has them; `unsupported` CACHE_TYPE
 */
export function parseCacheFrom(texts: readonly string[]): CacheFrom[] {
  return texts.flatMap((text) => entriesOf(text, 'import').map(fromEntry));
}

/** As `parseCacheFrom`, of `--cache-to`. */
export function parseCacheTo(texts: readonly string[]): CacheTo[] {
  return texts.flatMap((text) => entriesOf(text, 'export').map(toEntry));
}

/** What one entry says; keys that were read are gone from `keys`. */
interface Entry {
  type: string;
  keys: Map<string, string>;
  way: 'import' | 'export';
}

function entriesOf(text: string, way: Entry['way']): Entry[] {
  const fields = parseCsvRecord(text);
  if (fields.every((field) => !field.includes('=')))
    return fields.map((ref) => ({ type: 'registry', keys: new Map([['ref', ref]]), way }));
  const keys = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid value ${field}`);
    const key = field.slice(0, equals).toLowerCase();
    const before = key === 'mounts' ? keys.get(key) : undefined;
    const value = field.slice(equals + 1);
    keys.set(key, before === undefined ? value : `${before},${value}`);
  }
  const type = keys.get('type') ?? '';
  if (type === '') throw invalid(`type required form> ${goQuote(text)}`);
  keys.delete('type');
  return [{ type, keys, way }];
}

function fromEntry(entry: Entry): CacheFrom {
  const { type } = entry;
  if (type === 'registry') return finished(entry, { ...registryOf(entry), ...mountOptions(entry) });
  if (type !== 'local') throw unknownType(entry);
  const src = resolve(needed(entry, 'src'));
  const digest = taken(entry, 'digest');
  if (digest !== undefined && !isSha256Digest(digest)) throw invalid(`invalid digest ${goQuote(digest)}`);
  return finished(entry, {
    type,
    src,
    ...tagOf(entry),
    ...(digest === undefined ? {} : { digest }),
    ...mountOptions(entry),
  });
}

function toEntry(entry: Entry): CacheTo {
  const { type } = entry;
  if (type === 'inline') {
    const mode = taken(entry, 'mode');
    if (mode !== undefined && mode !== 'min')
      throw invalid('an inline cache has mode=min: an image holds the layers of its result alone');
    return finished(entry, { type });
  }
  if (type === 'registry') {
    const place = registryOf(entry);
    onlyTrue(entry, 'image-manifest', 'a cache here is one image manifest, which all registries keep');
    return finished(entry, { ...place, ...exportOptions(entry) });
  }
  if (type !== 'local') throw unknownType(entry);
  const dest = resolve(needed(entry, 'dest'));
  onlyTrue(entry, 'image-manifest', 'a cache here is one image manifest');
  // What no manifest names is always removed.
  onlyTrue(entry, 'reset', 'blobs that no manifest names are always removed');
  return finished(entry, { type, dest, ...tagOf(entry), ...exportOptions(entry) });
}

function registryOf(entry: Entry): { type: 'registry'; ref: string; insecure?: boolean } {
  const ref = needed(entry, 'ref');
  try {
    parseReference(ref);
  } catch (error) {
    throw invalid(`invalid reference ${goQuote(ref)}: ${(error as Error).message}`);
  }
  const insecure = booleanOf(entry, 'registry.insecure');
  return { type: 'registry', ref, ...(insecure === undefined ? {} : { insecure }) };
}

function exportOptions(entry: Entry): CacheToOptions {
  const mode = taken(entry, 'mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw invalid(`unsupported cache mode ${mode}`, 'Modes: min, max.');
  const oci = booleanOf(entry, 'oci-mediatypes');
  const force = booleanOf(entry, 'force-compression');
  const ignore = booleanOf(entry, 'ignore-error');
  return {
    mode,
    ...compressionOf(entry),
    ...(oci === undefined ? {} : { mediaTypes: oci ? ('oci' as const) : ('docker' as const) }),
    ...(force === undefined ? {} : { forceCompression: force }),
    ...(ignore === undefined ? {} : { ignoreError: ignore }),
    ...mountOptions(entry),
  };
}

function mountOptions(entry: Entry): CacheFromOptions {
  const mounts = taken(entry, 'mounts');
  const limit = taken(entry, 'mount-limit');
  return {
    ...(mounts === undefined ? {} : { mounts: mounts.split(',').filter((id) => id !== '') }),
    ...(limit === undefined ? {} : { mountLimit: parseByteSize(limit) }),
  };
}

function compressionOf(entry: Entry): Pick<CacheToOptions, 'compression' | 'compressionLevel'> {
  const kind = taken(entry, 'compression');
  const level = taken(entry, 'compression-level');
  const given = kind === undefined ? undefined : readCompression(kind, '', invalid);
  if (level === undefined) return given === undefined ? {} : { compression: given };
  const compression = given ?? 'gzip';
  const compressionLevel = readLevel(level, invalid);
  checkLevel(compressionLevel, compression, invalid);
  return { compression, compressionLevel };
}

function tagOf(entry: Entry): { tag?: string } {
  const tag = taken(entry, 'tag');
  if (tag !== undefined && !isTag(tag)) throw invalid(`invalid tag ${goQuote(tag)}`);
  return tag === undefined ? {} : { tag };
}

function taken({ keys }: Entry, key: string): string | undefined {
  const value = keys.get(key);
  keys.delete(key);
  return value === '' ? undefined : value;
}

function needed(entry: Entry, key: string): string {
  const value = taken(entry, key);
  if (value !== undefined) return value;
  throw invalid(`${entry.type} cache ${entry.way}er requires ${key}`);
}

function booleanOf(entry: Entry, key: string): boolean | undefined {
  const text = taken(entry, key);
  return text === undefined ? undefined : readBoolean(key, text, invalid);
}

function onlyTrue(entry: Entry, key: string, why: string): void {
  if (booleanOf(entry, key) === false) throw invalid(`${key}=false is not supported: ${why}`);
}

/** An unknown key is refused: a setting that does nothing would not be noticed for long. */
function finished<Result>({ keys, type, way }: Entry, result: Result): Result {
  const [key] = keys.keys();
  if (key === undefined) return result;
  throw invalid(`cache key ${key} is not supported: the ${type} cache ${way}er does not know it`);
}

function unknownType({ type, way }: Entry): SlipwayError {
  if (!Object.hasOwn(ELSEWHERE, type)) {
    if (type === 'inline')
      return invalid(
        'an inline cache is read with type=registry',
        'Write --cache-from type=registry,ref=IMAGE, or the name of the image alone.',
      );
    return invalid(`unknown cache ${way}er: ${goQuote(type)}`, 'The types are inline, local and registry.');
  }
  return new SlipwayError('unsupported', `cache type ${type} is not supported: ${ELSEWHERE[type]}`, {
    code: 'CACHE_TYPE',
  });
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'CACHE_INVALID', hint });
}
