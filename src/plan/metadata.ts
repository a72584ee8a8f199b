import type {
  CmdInstruction,
  EntrypointInstruction,
  ExposeInstruction,
  HealthcheckInstruction,
  PairsInstruction,
  RunInstruction,
  ShellInstruction,
  ValueInstruction,
  VolumeInstruction,
} from '../../grammar/ast.ts';
import { looksSecret } from '../dockerfile/checks.ts';
import { formatDuration } from '../dockerfile/duration.ts';
import { expandWord, expandWords } from '../dockerfile/expand.ts';
import { goList, goQuoteList, goQuoteRune } from '../dockerfile/go-text.ts';
import { parseExposedPort } from '../dockerfile/ports.ts';
import { declareArg, type EnvList } from '../dockerfile/scope.ts';
import { parseSignal } from '../dockerfile/signals.ts';
import { readHealthcheck } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import type { Healthcheck } from '../image/types.ts';
import { locating } from './fail.ts';
import type { Command } from './link.ts';
import {
  type Builder,
  commit,
  countText,
  expand,
  placeOf,
  reportUndefined,
  type StageState,
  snapshot,
} from './stage-state.ts';

/** An instruction in its place: what every function here takes. */
export interface Step<T> {
  builder: Builder;
  state: StageState;
  command: Command;
  instruction: T;
}

/** ENV: all values see the variables from before the line (SPEC X19). */
export function applyEnv({ builder, state, command, instruction }: Step<PairsInstruction>): void {
  if (instruction.legacy)
    builder.report.add('LegacyKeyValueFormat', place(command), instruction.word.toUpperCase());
  const pairs = expandPairs({ builder, state, command, instruction });
  const env = state.config.Env ?? [];
  state.config.Env = env;
  for (const [key, value] of pairs) {
    if (looksSecret(key)) builder.report.add('SecretsUsedInArgOrEnv', place(command), 'ENV', key);
    state.scope.env.set(key, value);
    const index = env.findIndex((entry) => entry.split('=', 1)[0] === key);
    if (index === -1) env.push(`${key}=${value}`);
    else env[index] = `${key}=${value}`;
  }
  commit(state, ['ENV', ...pairs.map(([key, value]) => `${key}=${value}`)].join(' '));
}

export function applyLabel({ builder, state, command, instruction }: Step<PairsInstruction>): void {
  if (instruction.legacy)
    builder.report.add('LegacyKeyValueFormat', place(command), instruction.word.toUpperCase());
  const pairs = expandPairs({ builder, state, command, instruction });
  state.config.Labels = { ...state.config.Labels, ...Object.fromEntries(pairs) };
  commit(state, ['LABEL', ...pairs.map(([key, value]) => `${key}=${value}`)].join(' '));
}

/** ARG: like ENV, all defaults of a line see the variables from before it. */
export function applyArg({ builder, state, command, instruction }: Step<PairsInstruction>): void {
  const { options, globals } = builder;
  const env = snapshot(state);
  const texts: string[] = [];
  for (const { key: word, value } of instruction.pairs) {
    const key = word.text;
    builder.declaredArgs.add(key);
    if (looksSecret(key)) builder.report.add('SecretsUsedInArgOrEnv', place(command), 'ARG', key);
    let defaultValue: string | undefined;
    if (value !== undefined) {
      defaultValue = options.buildArgs.has(key)
        ? unusedDefault(builder, env, value.text)
        : expand(builder, state, { raw: value.text, range: value.range, command, env });
    }
    // As the engine does, the entry names the default and not what was given for it.
    texts.push(defaultValue === undefined ? key : `${key}=${defaultValue}`);
    declareArg(state.scope, { key, defaultValue }, { globals, buildArgs: options.buildArgs });
  }
  commit(state, `ARG ${texts.join(' ')}`);
}

export function applyExpose({ builder, state, command, instruction }: Step<ExposeInstruction>): void {
  const env = snapshot(state);
  const ports = new Set<string>();
  const sortedWords = instruction.words.toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  for (const written of sortedWords) {
    locating(builder.options, { range: placeOf({ command, range: written.range }) }, () => {
      const { words, undefinedNames } = expandWords(written.text, (name) => env.get(name), builder);
      reportUndefined(builder, state, { names: undefinedNames, command, env });
      for (const word of words) {
        const exposed = parseExposedPort(word);
        if (exposed.upperCaseProtocol) builder.report.add('ExposeProtoCasing', place(command), word);
        if (exposed.hasHostPart) builder.report.add('ExposeInvalidFormat', place(command), word);
        for (const port of exposed.ports) ports.add(port);
      }
    });
  }
  const sorted = [...ports].sort();
  countText(builder, sorted.length * 10);
  const exposedPorts = { ...state.config.ExposedPorts };
  for (const port of sorted) exposedPorts[port] = {};
  state.config.ExposedPorts = exposedPorts;
  commit(state, `EXPOSE map[${sorted.map((port) => `${port}:{}`).join(' ')}]`);
}

export function applyVolume({ builder, state, command, instruction }: Step<VolumeInstruction>): void {
  const env = snapshot(state);
  const volumes = instruction.words.map((word) =>
    expand(builder, state, { raw: word.text.trim(), range: word.range, command, env }),
  );
  const empty = volumes.indexOf('');
  if (empty !== -1) {
    throw new SlipwayError('invalid', 'VOLUME specified can not be an empty string', {
      code: 'EMPTY_VOLUME',
      subject: { part: 'word', index: empty },
      hint: 'A variable here is empty or not set.',
    });
  }
  state.config.Volumes = {
    ...state.config.Volumes,
    ...Object.fromEntries(volumes.map((path) => [path, {}])),
  };
  commit(state, `VOLUME ${goList(volumes)}`);
}

export function applyUser({ builder, state, command, instruction }: Step<ValueInstruction>): void {
  const env = snapshot(state);
  const user = expand(builder, state, {
    raw: instruction.value.text,
    range: instruction.value.range,
    command,
    env,
  });
  state.config.User = user;
  commit(state, `USER ${user}`);
}

export function applyStopSignal({ builder, state, command, instruction }: Step<ValueInstruction>): void {
  const env = snapshot(state);
  const signal = expand(builder, state, {
    raw: instruction.value.text,
    range: instruction.value.range,
    command,
    env,
  });
  if (parseSignal(signal) === undefined) {
    throw new SlipwayError('invalid', `invalid signal: ${signal}`, {
      code: 'SIGNAL_INVALID',
      subject: { part: 'argument' },
      hint: 'Give a name like SIGTERM or a number.',
    });
  }
  state.config.StopSignal = signal;
  commit(state, `STOPSIGNAL ${signal}`);
}

export function applyMaintainer({ state, instruction }: Step<ValueInstruction>): void {
  state.author = instruction.value.text;
  commit(state, `MAINTAINER ${instruction.value.text}`);
}

export function applyShell({ state, instruction }: Step<ShellInstruction>): void {
  state.config.Shell = [...instruction.args];
  commit(state, `SHELL ${goList(instruction.args)}`);
}

export function applyCmd(step: Step<CmdInstruction>): void {
  const { state, instruction } = step;
  markGiven(step, 'CMD');
  const args = commandArgs(step, 'CMD', instruction);
  state.config.Cmd = args;
  state.config.ArgsEscaped = true;
  commit(state, `CMD ${goQuoteList(args)}`);
}

/** ENTRYPOINT: a CMD that the stage did not set itself goes (SPEC 1.14). */
export function applyEntrypoint(step: Step<EntrypointInstruction>): void {
  const { state, instruction } = step;
  markGiven(step, 'ENTRYPOINT');
  const args = commandArgs(step, 'ENTRYPOINT', instruction);
  state.config.Entrypoint = args.length === 0 ? null : args;
  if (!state.given.has('CMD')) delete state.config.Cmd;
  commit(state, `ENTRYPOINT ${goQuoteList(args)}`);
}

export function applyHealthcheck(step: Step<HealthcheckInstruction>): void {
  markGiven(step, 'HEALTHCHECK');
  const healthcheck = readHealthcheck(step.instruction);
  step.state.config.Healthcheck = healthcheck;
  commit(step.state, `HEALTHCHECK ${describeHealthcheck(healthcheck)}`);
}

/** The stage's shell with `text` as its argument. */
export function withShell(state: StageState, text: string): string[] {
  const shell = state.config.Shell;
  if (shell !== undefined && shell.length > 0) return [...shell, text];
  return state.platform.os === 'windows' ? ['cmd', '/S', '/C', text] : ['/bin/sh', '-c', text];
}

function commandArgs(
  { builder, state, command }: Step<unknown>,
  keyword: 'CMD' | 'ENTRYPOINT',
  instruction: CmdInstruction | EntrypointInstruction | RunInstruction,
): string[] {
  if (instruction.form === 'exec') return [...instruction.args];
  if ((state.config.Shell ?? []).length === 0)
    builder.report.add('JSONArgsRecommended', place(command), keyword);
  return withShell(state, instruction.text);
}

/** A second one of a kind makes the first useless: the finding is at the first. */
function markGiven(
  { builder, state, command }: Step<unknown>,
  keyword: 'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK',
): void {
  const earlier = state.given.get(keyword);
  if (earlier !== undefined) {
    builder.report.add('MultipleInstructionsDisallowed', { ...place(command), range: earlier }, keyword);
  }
  state.given.set(keyword, command.range);
}

function expandPairs({ builder, state, command, instruction }: Step<PairsInstruction>): [string, string][] {
  const env = snapshot(state);
  return instruction.pairs.map(({ key, value }) => [
    expand(builder, state, { raw: key.text, range: key.range, command, env }),
    value === undefined ? '' : expand(builder, state, { raw: value.text, range: value.range, command, env }),
  ]);
}

/** A default that a build argument replaces is shown in history only; faults in it do not matter. */
function unusedDefault(builder: Builder, env: EnvList, raw: string): string {
  try {
    return expandWord(raw, (name) => env.get(name), builder).value;
  } catch {
    return raw;
  }
}

/** As the engine prints the structure: `&{["CMD" "true"] "30s" "0s" "0s" "0s" '\x03'}`. */
function describeHealthcheck(check: Healthcheck): string {
  const durations = [check.Interval, check.Timeout, check.StartPeriod, check.StartInterval]
    .map((value) => `"${formatDuration(value ?? 0)}"`)
    .join(' ');
  return `&{${goQuoteList(check.Test ?? [])} ${durations} ${goQuoteRune(check.Retries ?? 0)}}`;
}

function place(command: Command) {
  return { range: command.range, comments: command.instruction.comments };
}
