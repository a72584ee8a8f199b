/** A time as Go's Time.String shows one of whole seconds in the local zone: `2026-11-27 22:00:41 +0000 UTC`. */
export function goLocalTime(rfc3339: string): string {
  const milliseconds = Date.parse(rfc3339);
  if (Number.isNaN(milliseconds)) return '0001-01-01 00:00:00 +0000 UTC';
  const time = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${String(time.getFullYear()).padStart(4, '0')}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const offset = -time.getTimezoneOffset();
  const size = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
  return `${date} ${clock} ${zone} ${zoneName(time) ?? zone}`;
}

/** `UTC`, `CET`; undefined where the zone has no such name, for which Go repeats the offset. */
function zoneName(time: Date): string | undefined {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(time);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return /^[A-Z]{3,5}$/.test(name) ? name : undefined;
}
