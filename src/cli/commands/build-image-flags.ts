import type { ImageOptions } from '../../engine/image-options.ts';
import { SlipwayError } from '../../errors/index.ts';
import { parseAnnotations } from '../annotations.ts';
import type { FlagTable, FlagValues } from '../flags/definition.ts';
import { parseInteger } from '../flags/go-values.ts';
import { keyValues } from '../key-values.ts';

/** Flags of `build` about the image that comes out, Docker's and buildah's. */
export const imageFlags = {
  annotation: { type: 'list', usage: 'Add annotation to the image' },
  label: { type: 'list', usage: 'Set metadata for an image' },
  squash: { type: 'bool', usage: 'Squash newly built layers into a single new layer' },
  'squash-all': { type: 'bool', usage: 'Squash all layers into a single new layer, those of the base too' },
  timestamp: {
    type: 'string',
    valueName: 'seconds',
    usage: 'Set the times of the image and of newer files in it (seconds since 1970)',
  },
  unsetenv: { type: 'list', usage: 'Unset an environment variable in the image' },
  unsetlabel: { type: 'list', usage: 'Do not inherit a label from the base image' },
} as const satisfies FlagTable;

/** What these flags ask for. Throws `usage`. */
export function imageOptions(flags: FlagValues<typeof imageFlags>): ImageOptions {
  const squash = flags['squash-all'] ? 'all' : flags.squash ? 'new' : undefined;
  return {
    labels: keyValues(flags.label),
    ...(flags.annotation.length === 0 ? {} : { annotations: parseAnnotations(flags.annotation) }),
    ...(squash === undefined ? {} : { squash }),
    ...(flags.timestamp === '' ? {} : { timestamp: seconds(flags.timestamp) }),
    ...(flags.unsetenv.length === 0 ? {} : { unsetEnv: flags.unsetenv }),
    ...(flags.unsetlabel.length === 0 ? {} : { unsetLabels: flags.unsetlabel }),
  };
}

function seconds(text: string): number {
  try {
    const value = parseInteger(text);
    if (value >= 0) return value;
  } catch {
    // Said below.
  }
  throw new SlipwayError('usage', `invalid timestamp ${text}: it takes seconds since 1970-01-01`, {
    code: 'TIMESTAMP_INVALID',
    hint: 'date +%s prints them.',
  });
}
