import type { Flag, HealthcheckInstruction, Instruction, RunInstruction } from '../../grammar/ast.ts';
import { SlipwayError } from '../errors/index.ts';
import { aboutFlag } from '../errors/subject.ts';
import type { Healthcheck } from '../image/types.ts';
import { parseDevice } from './devices.ts';
import { parseDuration } from './duration.ts';
import { goQuote } from './go-text.ts';
import { checkMount } from './mounts.ts';
import { didYouMean, suggest } from './suggest.ts';

export type NetworkMode = 'default' | 'none' | 'host';
export type SecurityMode = 'sandbox' | 'insecure';

const NETWORKS: readonly NetworkMode[] = ['default', 'none', 'host'];
const SECURITY: readonly SecurityMode[] = ['sandbox', 'insecure'];
const MIN_INTERVAL = 1_000_000;
const MAX_RETRIES = 2 ** 31 - 1;

/**
 * Checks what Docker checks of every instruction before anything runs, beyond the syntax: values of RUN's and
 * HEALTHCHECK's flags.
 *
 * @throws SlipwayError with Docker's text, without its location.
 */
export function validateInstruction(instruction: Instruction): void {
  if (instruction.keyword === 'RUN') {
    networkOf(instruction);
    securityOf(instruction);
    for (const [index, mount] of flagValues(instruction.flags, 'mount').entries())
      aboutFlag('mount', index, () => checkMount(mount.value));
    for (const [index, device] of flagValues(instruction.flags, 'device').entries())
      aboutFlag('device', index, () => parseDevice(device.value));
  }
  if (instruction.keyword === 'HEALTHCHECK') readHealthcheck(instruction);
}

/** `RUN --network`; `default` when it is not given. */
export function networkOf(instruction: RunInstruction): NetworkMode {
  return choice(instruction.flags, 'network', {
    known: NETWORKS,
    fallback: 'default',
    message: (value) => `invalid network mode ${goQuote(value)}`,
  });
}

/** `RUN --security`; `sandbox` when it is not given. */
export function securityOf(instruction: RunInstruction): SecurityMode {
  return choice(instruction.flags, 'security', {
    known: SECURITY,
    fallback: 'sandbox',
    message: (value) => `security ${goQuote(value)} is not valid`,
  });
}

/** The health check that HEALTHCHECK stores (SPEC 1.14); what is not given is left out. */
export function readHealthcheck(instruction: HealthcheckInstruction): Healthcheck {
  if (instruction.none) return { Test: ['NONE'] };
  const { flags } = instruction;
  const interval = (name: string) => readInterval(flags, name);
  const result: Healthcheck = {
    Test:
      instruction.form === 'exec' ? ['CMD', ...instruction.args] : ['CMD-SHELL', instruction.command.text],
  };
  const durations = {
    Interval: interval('interval'),
    Timeout: interval('timeout'),
    StartPeriod: interval('start-period'),
    StartInterval: interval('start-interval'),
    Retries: readRetries(flags),
  };
  for (const [key, value] of Object.entries(durations)) {
    if (value !== 0) result[key as keyof typeof durations] = value;
  }
  return result;
}

/** The flags of that name which have a value. */
export function flagValues(flags: readonly Flag[], name: string): (Flag & { value: string })[] {
  return flags.filter(
    (flag): flag is Flag & { value: string } => flag.name === name && flag.value !== undefined,
  );
}

/** Value of a flag that may be given once; undefined when it is not there. */
export function flagValue(flags: readonly Flag[], name: string): string | undefined {
  return flagValues(flags, name)[0]?.value;
}

/** Value of a boolean flag; undefined when it is not there. */
export function flagBoolean(flags: readonly Flag[], name: string): boolean | undefined {
  const flag = flags.find((candidate) => candidate.name === name);
  return flag === undefined ? undefined : flag.value === undefined || flag.value.toLowerCase() === 'true';
}

function choice<T extends string>(
  flags: readonly Flag[],
  name: string,
  options: { known: readonly T[]; fallback: T; message: (value: string) => string },
): T {
  const value = flagValue(flags, name);
  if (value === undefined) return options.fallback;
  const found = options.known.find((candidate) => candidate === value);
  if (found === undefined) {
    const message = `${options.message(value)}${didYouMean(suggest(value, options.known))}`;
    throw invalid(message, name, `Known are ${options.known.join(', ')}.`);
  }
  return found;
}

function readInterval(flags: readonly Flag[], name: string): number {
  const value = flagValue(flags, name);
  if (value === undefined || value === '') return 0;
  const duration = aboutFlag(name, 0, () => parseDuration(value));
  if (duration !== 0 && duration < MIN_INTERVAL) {
    throw invalid(`Interval ${goQuote(name)} cannot be less than 1ms`, name);
  }
  return duration;
}

function readRetries(flags: readonly Flag[]): number {
  const value = flagValue(flags, 'retries');
  if (value === undefined || value === '') return 0;
  if (!/^[+-]?[0-9]+$/.test(value)) {
    const hint = '--retries takes a whole number.';
    throw invalid(`strconv.ParseInt: parsing ${goQuote(value)}: invalid syntax`, 'retries', hint);
  }
  const retries = Number(value);
  if (retries > MAX_RETRIES || retries < -MAX_RETRIES - 1) {
    throw invalid(`strconv.ParseInt: parsing ${goQuote(value)}: value out of range`, 'retries');
  }
  if (retries < 0) throw invalid(`--retries cannot be negative (${retries})`, 'retries');
  return retries;
}

function invalid(message: string, flag: string, hint?: string): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'FLAG_INVALID',
    hint,
    subject: { part: 'flag', name: flag },
  });
}
