import { SlipwayError } from '../errors/index.ts';
import { splitCsv } from './csv.ts';
import { parseGoBoolean } from './go-text.ts';
import { didYouMean, suggest } from './suggest.ts';

/** A `RUN --device` as written. */
export interface DeviceSpec {
  /** `vendor/class=name`, `vendor/class`, `vendor/class=*`, or what devices are annotated with. */
  name: string;
  required: boolean;
}

/**
 * Reads `RUN --device=NAME[,required]` (SPEC 1.8).
 *
 * @throws SlipwayError `DEVICE_INVALID` with Docker's texts.
 */
export function parseDevice(text: string): DeviceSpec {
  const split = splitCsv(text);
  if ('error' in split) throw invalid(`failed to parse csv devices: ${split.error}`);
  const device: DeviceSpec = { name: '', required: false };
  for (const field of split.fields) {
    const equals = field.indexOf('=');
    const key = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals === -1 ? undefined : field.slice(equals + 1);
    if (key === 'required') device.required = value === undefined || booleanOf(key, value);
    else if (key === 'name' && value !== undefined) {
      if (device.name !== '') throw invalid(`device name already set to ${device.name}`);
      device.name = value;
    } else if (device.name === '') device.name = field;
    else if (value === undefined) throw invalid(`invalid field '${field}' must be a key=value pair`);
    else
      throw invalid(`unexpected key '${key}' in '${field}'${didYouMean(suggest(key, ['name', 'required']))}`);
  }
  return device;
}

function booleanOf(key: string, value: string): boolean {
  const parsed = parseGoBoolean(value);
  if (parsed === undefined) throw invalid(`invalid value for ${key}: ${value}`);
  return parsed;
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'DEVICE_INVALID',
    hint: 'Write --device=VENDOR/CLASS=NAME, with ,required where the step cannot do without.',
  });
}
