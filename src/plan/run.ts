import type { Heredoc, RunInstruction } from '../../grammar/ast.ts';
import { parseDevice } from '../dockerfile/devices.ts';
import { resolveWorkdir } from '../dockerfile/paths.ts';
import { argPrefix, type EnvList, proxyEnv, type StageScope } from '../dockerfile/scope.ts';
import { flagValues, networkOf, securityOf } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import { errorAt } from './fail.ts';
import { type Step, withShell } from './metadata.ts';
import { noCacheReason } from './no-cache.ts';
import { planMounts } from './run-mounts.ts';
import { addStep, commit, countText, titleOf } from './stage-state.ts';
import type { RunMount, RunOperation } from './types.ts';

const AGENT_VARIABLE = 'SSH_AUTH_SOCK';

const DEFAULT_HOSTNAME = 'buildkitsandbox';

/** Where scripts of here-documents with a shebang are mounted. */
const SCRIPT_DIRECTORY = '/dev/pipes';

/** Plans a RUN (SPEC 1.8, 1.10). */
export function applyRun(step: Step<RunInstruction>): void {
  const { builder, state, command, instruction } = step;
  const { options } = builder;
  const { args, scripts, summary } = commandOf(step);
  const { mounts, dependencies, secretNames } = planMounts(step);
  const env = withAgent(state.scope.env, mounts);
  const network = networkOf(instruction);
  const security = securityOf(instruction);
  // `--network host` for the whole build says as much as `--allow network.host` (seen on the engine).
  requireEntitlement(step, network === 'host' && options.network !== 'host', 'network.host');
  requireEntitlement(step, security === 'insecure', 'security.insecure');
  const environment = env.toArray();
  countText(
    builder,
    environment.reduce((sum, entry) => sum + entry.length, 0),
  );
  const operation: RunOperation = {
    kind: 'run',
    parent: state.result,
    args,
    command: args.join(' '),
    env: environment,
    ...withArgNames(state.scope),
    hiddenEnv: proxyEnv(options.buildArgs, env),
    cwd: resolveWorkdir('/', state.config.WorkingDir ?? ''),
    user: state.config.User ?? '',
    network: network === 'default' ? options.network : network,
    security,
    mounts,
    scripts,
    ...devicesOf(step),
    hostname: options.buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') ?? DEFAULT_HOSTNAME,
  };
  const title = titleOf(`${instruction.original}${summary}`, masked(state.scope.env, secretNames), {
    escape: builder.escape,
    keepQuotes: true,
    keepUnset: true,
  });
  const node = addStep(builder, state, {
    operation,
    title,
    command,
    dependencies,
    noCache: noCacheReason(builder, state, command),
  });
  commit(state, `${['RUN', ...argPrefix(state.scope), ...args].join(' ')} # buildkit`, node);
}

/** `--device`, and what the user allows; what there is shows when the step runs. */
function devicesOf({ builder, instruction }: Step<RunInstruction>): Partial<RunOperation> {
  const devices = flagValues(instruction.flags, 'device').map(({ value }) => parseDevice(value));
  if (devices.length === 0) return {};
  const allowedDevices = builder.options.allow
    .filter((allowed) => allowed === 'device' || allowed.startsWith('device='))
    .map((allowed) => allowed.slice('device='.length) || '*');
  return { devices, allowedDevices };
}

/** Programs find the first agent that is mounted, unless the step says where to look (SPEC 1.9, M11). */
function withAgent(env: EnvList, mounts: readonly RunMount[]): EnvList {
  const mounted = mounts.find((mount) => mount.type === 'ssh');
  if (mounted === undefined || env.has(AGENT_VARIABLE)) return env;
  const all = env.clone();
  all.set(AGENT_VARIABLE, mounted.target);
  return all;
}

/** The process to start, from whichever form the line has. */
function commandOf({ state, instruction }: Step<RunInstruction>): {
  args: string[];
  scripts: { name: string; content: string }[];
  summary: string;
} {
  if (instruction.form === 'exec') {
    if (instruction.args.length === 0) throw noProgram();
    return { args: [...instruction.args], scripts: [], summary: '' };
  }
  const { heredocs, text } = instruction;
  const [first] = heredocs;
  if (first === undefined) return { args: withShell(state, text), scripts: [], summary: '' };
  const isWhole = heredocs.length === 1 && first.opener.offset === 0 && first.opener.length === text.length;
  if (!isWhole) {
    // Any other here-document is the shell's own affair: the text is put together again.
    const bodies = heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`);
    return { args: withShell(state, text + bodies.join('')), scripts: [], summary: '' };
  }
  const content = bodyOf(first);
  const summary = ` (${summarize(first.content)})`;
  if (!content.startsWith('#!') || state.platform.os === 'windows') {
    return { args: withShell(state, content), scripts: [], summary };
  }
  return {
    args: withShell(state, `${SCRIPT_DIRECTORY}/${first.name}`),
    scripts: [{ name: first.name, content }],
    summary,
  };
}

/** Refused by BuildKit before anything runs, in its words behind ours. */
function noProgram(): SlipwayError {
  const message = 'RUN [] names no program: failed to marshal LLB definition: arguments are required';
  return new SlipwayError('invalid', message, {
    code: 'RUN_EMPTY',
    hint: 'Write RUN ["program", "argument"], or RUN with a command for the shell.',
  });
}

/** The body with the tabs of `<<-` taken off. */
export function bodyOf(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content;
}

function summarize(content: string): string {
  const lines = content.trim().split(/\r?\n/);
  return lines.length > 1 ? `${lines[0]}...` : lines[0]!;
}

function withArgNames({ args, env }: StageScope): { argNames?: string[] } {
  const names = args.filter(({ key, value }) => value !== undefined && env.get(key) === value);
  return names.length === 0 ? {} : { argNames: [...new Set(names.map(({ key }) => key))] };
}

function masked(env: EnvList, secretNames: ReadonlySet<string>): (name: string) => string | undefined {
  return (name) => (secretNames.has(name) ? '****' : env.get(name));
}

function requireEntitlement(
  { builder, command, instruction }: Step<RunInstruction>,
  needed: boolean,
  entitlement: 'network.host' | 'security.insecure',
): void {
  if (!needed || builder.options.allow.includes(entitlement)) return;
  const name = entitlement.slice(0, entitlement.indexOf('.'));
  const flag = command.isTrigger ? undefined : instruction.flags.find((one) => one.name === name);
  throw errorAt(builder.options, flag?.range ?? command.range, {
    kind: 'denied',
    message: `${entitlement} is not allowed`,
    code: 'ENTITLEMENT_MISSING',
    hint: `Build with --allow ${entitlement} if you trust this Dockerfile.`,
  });
}
