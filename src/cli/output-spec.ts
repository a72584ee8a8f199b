import { mergeAnnotations } from '../image/annotations.ts';
import { checkLevel } from './compression-keys.ts';
import { parseCsvRecord } from './flags/go-values.ts';
import { invalid, OUTPUT_TYPES, type OutputSpec, type OutputType, readOutputKey } from './output-keys.ts';

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
    const name = field.slice(0, equals).trim();
    // The rest of an annotation is its own key, in its own case.
    const key = name.toLowerCase().startsWith('annotation') ? name : name.toLowerCase();
    values.set(key, field.slice(equals + 1));
  }
  const type = values.get('type') ?? '';
  if (type === '') throw invalid('type is required for output');
  if (!isType(type)) {
    throw invalid(`exporter "${type}" could not be found`, `The types are ${OUTPUT_TYPES.join(', ')}.`);
  }
  values.delete('type');
  const found = type === 'registry' ? spec('image', { push: true }) : spec(type, {});
  for (const [key, value] of values) {
    const { annotations, ...rest } = readOutputKey(key, value, found.type);
    Object.assign(found, rest);
    if (annotations !== undefined) found.annotations = mergeAnnotations(found.annotations, annotations)!;
  }
  check(found);
  return found;
}

/** What no key can tell alone. */
function check(output: OutputSpec): void {
  const { type, dest, tar, push = false, compression, compressionLevel, mediaTypes } = output;
  if (type === 'local' && dest === undefined) throw invalid('dest is required for local exporter');
  if (type === 'local' && dest === '-') {
    throw invalid('dest cannot be stdout for local exporter', 'For a tar on standard output write -o -.');
  }
  if (!tar && (dest === undefined || dest === '-')) {
    throw invalid(`dest is required for ${type} exporter with tar=false`);
  }
  if (type === 'image' && !push && (compression ?? 'uncompressed') !== 'uncompressed') {
    throw invalid(
      `output key compression=${compression} is not supported: layers in the store are directories, compressed when they leave it`,
    );
  }
  if (compression === 'zstd' && mediaTypes === 'docker') {
    throw invalid('compression=zstd needs oci-mediatypes=true: Docker has no media type for it');
  }
  if (compressionLevel === undefined) return;
  checkLevel(compressionLevel, compression ?? (push ? 'gzip' : undefined), invalid);
}

function spec(type: OutputSpec['type'], given: Partial<OutputSpec>): OutputSpec {
  return { type, dest: undefined, tar: true, names: [], ...given };
}

function isType(text: string): text is OutputType {
  return (OUTPUT_TYPES as readonly string[]).includes(text);
}
