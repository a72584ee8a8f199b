import { SlipwayError } from '../errors/index.ts';
import { goQuote } from './go-text.ts';

const NANOSECONDS: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const MAX_NANOSECONDS = 2n ** 63n - 1n;

/**
 * Reads a duration as Go's `time.ParseDuration` does (`1h30m`, `1.5s`, `-2ms`, `0`) and gives nanoseconds.
 *
 * @throws SlipwayError `DURATION_INVALID` with Go's text.
 */
export function parseDuration(text: string): number {
  const quoted = goQuote(text);
  const sign = text[0] === '-' ? -1n : 1n;
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw invalid(`time: invalid duration ${quoted}`);
  let total = 0n;
  while (rest !== '') {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest)!;
    const whole = number[1]!;
    const fraction = number[2] ?? '';
    if (whole === '' && fraction === '') throw invalid(`time: invalid duration ${quoted}`);
    rest = rest.slice(number[0].length);
    const unit = /^[^.0-9]*/.exec(rest)![0];
    if (unit === '') throw invalid(`time: missing unit in duration ${quoted}`);
    rest = rest.slice(unit.length);
    const scale = NANOSECONDS[unit];
    if (scale === undefined) throw invalid(`time: unknown unit ${goQuote(unit)} in duration ${quoted}`);
    // More than 18 digits of a fraction are below a nanosecond of any unit.
    const digits = fraction.slice(0, 18);
    total += BigInt(whole === '' ? '0' : whole) * scale;
    total += (BigInt(digits === '' ? '0' : digits) * scale) / 10n ** BigInt(digits.length);
    if (total > MAX_NANOSECONDS) throw invalid(`time: invalid duration ${quoted}`);
  }
  return Number(sign * total);
}

/** Writes nanoseconds as Go's `Duration.String` does: `1h0m0s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  const total = BigInt(Math.trunc(nanoseconds));
  if (total === 0n) return '0s';
  const sign = total < 0n ? '-' : '';
  const value = total < 0n ? -total : total;
  if (value < 1_000n) return `${sign}${value}ns`;
  if (value < 1_000_000n) return `${sign}${decimal(value, 1_000n)}µs`;
  if (value < 1_000_000_000n) return `${sign}${decimal(value, 1_000_000n)}ms`;
  const minutes = value / 60_000_000_000n;
  const seconds = `${decimal(value % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return `${sign}${seconds}`;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, unit: bigint): string {
  const fraction = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return fraction === '' ? `${value / unit}` : `${value / unit}.${fraction}`;
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'DURATION_INVALID',
    hint: 'Durations are written like 30s, 1m30s or 500ms.',
  });
}
