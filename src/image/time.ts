import { SlipwayError } from '../errors/index.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;
/** Dates of JavaScript end here, and begin as long before 1970. */
const LAST_DATE_NS = 8_640_000_000_000_000n * NS_PER_MS;
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Go's zero time, which Docker writes for "unknown". */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** Nanoseconds since 1970 as RFC 3339 in UTC, with as many digits as needed (Go's RFC3339Nano). */
export function formatTime(ns: bigint): string {
  let seconds = ns / NS_PER_S;
  let rest = ns % NS_PER_S;
  if (rest < 0n) {
    rest += NS_PER_S;
    seconds -= 1n;
  }
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${whole}${fraction}Z`;
}

/** As `formatTime`, for times that nobody vouches for: the number itself where no date can show it. */
export function showTime(ns: bigint): string {
  return ns > LAST_DATE_NS || ns < -LAST_DATE_NS ? String(ns) : formatTime(ns);
}

/** RFC 3339, with any offset, to nanoseconds since 1970; undefined for what is not. */
export function parseTime(text: string): bigint | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute] = match;
  // Years below 100 mean the 20th century to Date.UTC; the text form takes them as they are.
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) return undefined;
  const offset = sign === undefined ? 0n : BigInt(Number(offsetHour) * 60 + Number(offsetMinute)) * 60n;
  const shift = sign === '-' ? -offset : offset;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0')) - shift * NS_PER_S;
}

/** An RFC 3339 time as Go writes it again: no zeros at the end of the fraction, `Z` for UTC. */
export function goTimeText(text: string): string {
  return text.replace(/(?:\.0+|(\.\d*?[1-9])0+)(?=Z|[+-])/, '$1').replace(/\+00:00$/, 'Z');
}

let monotonicBase: { wall: bigint; monotonic: bigint } | undefined;

/** The time now in nanoseconds since 1970: the clock's milliseconds, refined by the monotonic clock. */
export function nowNs(): bigint {
  const wall = BigInt(Date.now()) * NS_PER_MS;
  const monotonic = process.hrtime.bigint();
  monotonicBase ??= { wall, monotonic };
  const refined = monotonicBase.wall + (monotonic - monotonicBase.monotonic);
  const drift = refined - wall;
  // The wall clock was set meanwhile: start anew from it.
  if (drift > 10n * NS_PER_MS || drift < -10n * NS_PER_MS) {
    monotonicBase = { wall, monotonic };
    return wall;
  }
  return refined;
}

/**
 * `SOURCE_DATE_EPOCH` to nanoseconds since 1970; undefined for an empty text.
 *
 * @throws SlipwayError `EPOCH_INVALID` unless it is a number of whole seconds that a date can show.
 */
export function parseEpoch(text: string): bigint | undefined {
  if (text === '') return undefined;
  const seconds = /^-?\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds) || seconds < -62_135_596_800 || seconds > 253_402_300_799) {
    throw new SlipwayError('usage', `invalid SOURCE_DATE_EPOCH: ${text}`, {
      code: 'EPOCH_INVALID',
      hint: 'It is a number of seconds since 1970.',
    });
  }
  return BigInt(seconds) * NS_PER_S;
}
