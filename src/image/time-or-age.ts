import { parseDuration } from '../dockerfile/duration.ts';
import { SlipwayError } from '../errors/index.ts';

const AGE = /^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/;
const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?(?:Z|[+-]\d\d:\d\d)?$/;

/**
 * A moment as Docker's `until` takes it: an age in Go's spelling (`10m`, `1h30m`), a date with or without clock and
 * zone (local without), or seconds since 1970. Gives milliseconds since 1970; `now` is in the same.
 *
 * @throws SlipwayError `TIME_INVALID` with Docker's words.
 */
export function timeOrAge(text: string, now: number): number {
  if (AGE.test(text)) return now - parseDuration(text) / 1e6;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const time = DATE.test(text) ? Date.parse(wholeDate(text)) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new SlipwayError('usage', `failed to parse value as time or duration: "${text}"`, {
    code: 'TIME_INVALID',
    hint: 'For example 24h, 2026-01-31, 2026-01-31T12:00:00.',
  });
}

/** Date.parse takes a date alone for UTC, and wants minutes. */
function wholeDate(text: string): string {
  const [, date, hour, rest = '', zone = ''] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d))?(:[\d:.]+)?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  return `${date}T${hour ?? '00'}${rest === '' ? ':00' : rest}${zone}`;
}
