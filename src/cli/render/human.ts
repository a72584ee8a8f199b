const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY_HOURS = 24;

/**
 * Bytes with three significant digits and decimal units, as `docker images` shows them: `7.8MB`, `121MB`, `0B`; other
 * places of Docker's show four.
 */
export function humanSize(bytes: number, digits = 3): string {
  let value = bytes;
  let unit = 0;
  while (unit < UNITS.length - 1 && Number(value.toPrecision(digits)) >= 1000) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${UNITS[unit]}`;
}

/** How long `seconds` are, in the words of Docker's go-units: `About a minute`, `2 weeks`. */
export function humanDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < MINUTE) return `${whole} seconds`;
  const minutes = Math.floor(seconds / MINUTE);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / HOUR + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 2 * DAY_HOURS) return `${hours} hours`;
  if (hours < 14 * DAY_HOURS) return `${Math.floor(hours / DAY_HOURS)} days`;
  if (hours < 60 * DAY_HOURS) return `${Math.floor(hours / DAY_HOURS / 7)} weeks`;
  if (hours < 730 * DAY_HOURS) return `${Math.floor(hours / DAY_HOURS / 30)} months`;
  return `${Math.floor(seconds / HOUR / DAY_HOURS / 365)} years`;
}

/** `2 weeks ago`; `N/A` for no time, a time that makes no sense, and the zero time of Go (year 1). */
export function createdSince(created: string | undefined, now: number): string {
  const time = created === undefined ? Number.NaN : Date.parse(created);
  if (Number.isNaN(time) || new Date(time).getUTCFullYear() <= 1) return 'N/A';
  return `${humanDuration((now - time) / 1000)} ago`;
}
