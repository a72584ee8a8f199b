import type { CopyInstruction, ValueInstruction } from '../../grammar/ast.ts';
import { parseChmod } from '../dockerfile/chmod.ts';
import { resolveDestination, resolveWorkdir } from '../dockerfile/paths.ts';
import { flagBoolean, flagValue, flagValues } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import { hideUrls } from '../errors/redact-url.ts';
import { locating } from './fail.ts';
import type { Command } from './link.ts';
import type { Step } from './metadata.ts';
import { noCacheReason } from './no-cache.ts';
import { ownerNumber } from './owner-number.ts';
import { remoteSources } from './remote-sources.ts';
import { bodyOf } from './run.ts';
import {
  addStep,
  commit,
  expand,
  expandBody,
  placeOf,
  snapshot,
  sourceNode,
  titleOf,
} from './stage-state.ts';
import type { CopyOperation, FileSource, NodeId } from './types.ts';

/** Plans COPY and ADD (SPEC 1.11, 1.12). */
export function applyCopy(step: Step<CopyInstruction>): void {
  const { builder, state, command, instruction } = step;
  const { flags, keyword } = instruction;
  const env = snapshot(state);
  const flag = (name: string): string | undefined => {
    const given = flagValues(flags, name)[0];
    if (given === undefined || given.value === '') return undefined;
    const value = expand(builder, state, { raw: given.value, range: given.range, command, env });
    return value === '' ? undefined : value;
  };
  const chown = flag('chown');
  const chmod = flag('chmod');
  const checksum = flag('checksum');
  const sources: string[] = [];
  const heredocs: CopyOperation['heredocs'] = [];
  for (const source of instruction.sources) {
    if (source.heredoc === undefined)
      sources.push(expand(builder, state, { raw: source.text, range: source.range, command, env }));
    else {
      const heredoc = instruction.heredocs[source.heredoc]!;
      const raw = bodyOf(heredoc);
      const content = heredoc.quoted ? raw : expandBody(builder, state, { raw, command, env });
      heredocs.push({ name: heredoc.name, content });
    }
  }
  const written = expand(builder, state, {
    raw: instruction.destination.text,
    range: instruction.destination.range,
    command,
    env,
  });
  if (chmod !== undefined) {
    const range = flagValues(flags, 'chmod')[0]!.range;
    locating(builder.options, { range: placeOf({ command, range }) }, () => parseChmod(chmod));
  }
  const remotes = remoteSources(instruction, sources, checksum);

  const parents = flagBoolean(flags, 'parents') ?? false;
  // The independent layer cannot carry a mode: Docker then copies the usual way, and so its title says.
  const link = (flagBoolean(flags, 'link') ?? false) && chmod === undefined;
  if (chown !== undefined && (link || isEmptyRoot(step))) checkNumericOwner(chown);
  const { from, dependencies } = sourceOf(step);
  const operation: CopyOperation = {
    kind: 'copy',
    instruction: keyword,
    parent: state.result,
    from,
    sources,
    ...(remotes.length === 0 ? {} : { remotes }),
    heredocs,
    destination: resolveDestination(state.config.WorkingDir ?? '/', written),
    chown,
    chmod,
    link,
    parents,
    exclude: flagValues(flags, 'exclude').map((flag) => flag.value),
    unpack: flagBoolean(flags, 'unpack'),
  };
  const title = titleOf(instruction.original, (name) => env.get(name), builder);
  const node = addStep(builder, state, {
    operation,
    title: hideUrls(link ? `LINK ${title}` : title),
    command,
    dependencies,
    noCache: noCacheReason(builder, state, command),
  });
  const words = [
    keyword,
    ...(parents ? ['--parents'] : []),
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...sources.map(hideUrls),
    ...heredocs.map((heredoc) => `<<${heredoc.name}`),
    written,
    '# buildkit',
  ];
  commit(state, words.join(' '), node);
}

/** WORKDIR: a layer for each but `/`, whose owner is the USER of that moment. */
export function applyWorkdir(step: Step<ValueInstruction>): void {
  const { builder, state, command, instruction } = step;
  const env = snapshot(state);
  const written = expand(builder, state, {
    raw: instruction.value.text,
    range: instruction.value.range,
    command,
    env,
  });
  if (!state.workdirGiven && !written.startsWith('/')) {
    builder.report.add('WorkdirRelativePath', place(command), written);
  }
  state.workdirGiven = true;
  const current = state.config.WorkingDir ?? '/';
  const path = resolveWorkdir(current, written);
  // The engine stores an absolute path as it is written (`/app/`), and cleans it only where it is used. An empty one
  // changes nothing.
  const stored = written.startsWith('/') ? written : written === '' ? current : path;
  state.config.WorkingDir = stored;
  if (path === '/') {
    commit(state, `WORKDIR ${stored}`);
    return;
  }
  const title = titleOf(instruction.original, (name) => env.get(name), builder);
  const node = addStep(builder, state, {
    operation: { kind: 'workdir', parent: state.result, path, user: state.config.User ?? '' },
    title,
    command,
  });
  commit(state, `WORKDIR ${stored}`, node);
}

function sourceOf({ builder, state, command, instruction }: Step<CopyInstruction>): {
  from: FileSource;
  dependencies: NodeId[];
} {
  const [source] = command.sources;
  if (source === undefined) return { from: { kind: 'context', name: undefined }, dependencies: [] };
  const written = flagValue(instruction.flags, 'from')!;
  const node = sourceNode(builder, state, {
    source,
    range: command.range,
    missing: () =>
      new SlipwayError(
        'invalid',
        `cannot copy from stage ${JSON.stringify(written)}, it needs to be defined before current stage ${JSON.stringify(state.stage.displayName)}`,
        {
          code: 'STAGE_BELOW',
          hint: 'Move that stage above this one.',
          subject: { part: 'flag', name: 'from' },
        },
      ),
  });
  if (node === undefined) {
    return {
      from: { kind: 'context', name: source.kind === 'context' ? source.name : undefined },
      dependencies: [],
    };
  }
  return { from: { kind: 'node', node }, dependencies: [node] };
}

/** Nothing was done yet on top of `FROM scratch`. */
function isEmptyRoot({ builder, state }: Step<unknown>): boolean {
  return builder.nodes.findLast(({ id }) => id === state.result)?.operation.kind === 'scratch';
}

/** Where there can be no /etc/passwd no owner's name means anything but root's: Docker fails, with less to go by. */
function checkNumericOwner(chown: string): void {
  const name = chown.split(':', 2).find((part) => part !== '' && ownerNumber(part) === undefined);
  if (name === undefined) return;
  throw new SlipwayError(
    'invalid',
    `invalid missing user mount: there is no /etc/passwd to find ${name} in (invalid user index: -1)`,
    {
      code: 'CHOWN_NAME',
      subject: { part: 'flag', name: 'chown' },
      hint: 'An empty root file system, and the independent layer of --link, know owners by number only: --chown=1000:1000.',
    },
  );
}

function place(command: Command) {
  return { range: command.range, comments: command.instruction.comments };
}
