/** Signals of Linux by name, without `SIG`, as STOPSIGNAL and `kill` take them. */
const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
};

const RTMIN = 34;
const RTMAX = 64;

/**
 * The number of a signal given as `SIGTERM`, `term`, `15`, `RTMIN+3` or `RTMAX-2`; undefined when there is none.
 * Numbers are not checked against the system's, as Docker does not.
 */
export function parseSignal(text: string): number | undefined {
  if (/^[+-]?[0-9]+$/.test(text)) {
    const number = Number(text);
    return number === 0 || !Number.isSafeInteger(number) ? undefined : number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (Object.hasOwn(SIGNALS, name)) return SIGNALS[name];
  const realTime = /^(?:RTMIN(?:\+([0-9]{1,2}))?|RTMAX(?:-([0-9]{1,2}))?)$/.exec(name);
  if (realTime === null) return undefined;
  const up = Number(realTime[1] ?? 0);
  const down = Number(realTime[2] ?? 0);
  if (String(up) !== (realTime[1] ?? '0') || String(down) !== (realTime[2] ?? '0')) return undefined;
  if (name.startsWith('RTMIN')) return up <= 15 ? RTMIN + up : undefined;
  return down <= 14 ? RTMAX - down : undefined;
}
