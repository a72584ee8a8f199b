import { posix } from 'node:path';
import type { RunInstruction } from '../../grammar/ast.ts';
import { type MountSpec, parseMount } from '../dockerfile/mounts.ts';
import { joinPath, resolveWorkdir } from '../dockerfile/paths.ts';
import { flagValues } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import { aboutFlag } from '../errors/subject.ts';
import { locating } from './fail.ts';
import type { Source } from './link.ts';
import type { Step } from './metadata.ts';
import { expand, snapshot, sourceNode } from './stage-state.ts';
import type { FileSource, NodeId, RunMount } from './types.ts';

/** The mounts of a RUN, complete, and the nodes they read. */
export interface PlannedMounts {
  mounts: RunMount[];
  dependencies: NodeId[];
  /** Variables that hold secrets: titles show stars for them. */
  secretNames: Set<string>;
}

/**
 * Plans `RUN --mount` (SPEC 1.9): values expanded, defaults filled in, targets absolute.
 *
 * @throws SlipwayError with Docker's texts, at the flag.
 */
export function planMounts(step: Step<RunInstruction>): PlannedMounts {
  const { builder, state, command, instruction } = step;
  const env = snapshot(state);
  const planned: PlannedMounts = { mounts: [], dependencies: [], secretNames: new Set() };
  flagValues(instruction.flags, 'mount').forEach((flag, index) => {
    const range = command.isTrigger ? command.range : flag.range;
    const plan = (): void => {
      const spec = parseMount(flag.value, (raw) =>
        expand(builder, state, { raw, range: flag.range, command, env }),
      );
      const mount = planMount(step, { spec, source: command.sources[index], planned });
      planned.mounts.push(mount);
      if (mount.type === 'secret' && mount.env !== undefined) planned.secretNames.add(mount.env);
    };
    locating(builder.options, { ...command, range }, () => aboutFlag('mount', index, plan));
  });
  return planned;
}

interface Request {
  spec: MountSpec;
  source: Source | undefined;
  planned: PlannedMounts;
}

function planMount(step: Step<RunInstruction>, { spec, source, planned }: Request): RunMount {
  const workdir = step.state.config.WorkingDir ?? '/';
  switch (spec.type) {
    case 'secret':
      return planSecret(spec, workdir);
    case 'ssh': {
      const number = planned.mounts.filter((mount) => mount.type === 'ssh').length;
      const target = spec.target === '' ? `/run/buildkit/ssh_agent.${number}` : spec.target;
      return {
        type: 'ssh',
        id: spec.id === '' ? 'default' : spec.id,
        target: resolveWorkdir(workdir, target),
        required: spec.required,
        ...ownership(spec, 0o600),
      };
    }
  }
  const target = resolveWorkdir(workdir, spec.target);
  if (target === '/') {
    throw new SlipwayError('invalid', 'invalid mount target "/"', {
      code: 'MOUNT_INVALID',
      hint: 'Give the mount a target= below the root directory.',
    });
  }
  if (spec.type === 'tmpfs') return { type: 'tmpfs', target, size: spec.size };
  const from = source === undefined ? undefined : fileSource(step, { spec, planned, source });
  if (spec.type === 'bind') {
    return {
      type: 'bind',
      target,
      source: joinPath('/', spec.source),
      from: from ?? { kind: 'context', name: undefined },
      readWrite: !spec.readOnly,
    };
  }
  const namespace = step.builder.options.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS') ?? '';
  // The default is what is written, before the working directory is joined to it.
  const id = spec.id === '' ? joinPath(spec.target) : spec.id;
  return {
    type: 'cache',
    target,
    id: namespace === '' ? id : `${namespace}/${id}`,
    sharing: spec.sharing ?? 'shared',
    from,
    source: joinPath('/', spec.source),
    readOnly: spec.readOnly,
    ...ownership(spec, 0o755),
  };
}

function planSecret(spec: MountSpec, workdir: string): RunMount {
  const named = spec.source === '' ? spec.id : spec.source;
  const id = named === '' ? posix.basename(spec.target) : named;
  const path =
    spec.target !== ''
      ? spec.target
      : spec.env === undefined
        ? `/run/secrets/${posix.basename(id)}`
        : undefined;
  return {
    type: 'secret',
    id,
    target: path === undefined ? undefined : resolveWorkdir(workdir, path),
    env: spec.env === '' ? id : spec.env,
    required: spec.required,
    ...ownership(spec, 0o400),
  };
}

function ownership(spec: MountSpec, mode: number): { mode: number; uid: number; gid: number } {
  return { mode: spec.mode ?? mode, uid: spec.uid ?? 0, gid: spec.gid ?? 0 };
}

function fileSource(
  step: Step<RunInstruction>,
  { spec, source, planned }: Request & { source: Source },
): FileSource {
  const { builder, state, command } = step;
  const node = sourceNode(builder, state, {
    source,
    range: command.range,
    missing: () =>
      new SlipwayError(
        'invalid',
        `cannot mount from stage ${JSON.stringify(spec.from)} to ${JSON.stringify(spec.target)}, stage needs to be defined before current command`,
        { code: 'STAGE_BELOW', hint: 'Move that stage above this one.' },
      ),
  });
  if (node === undefined)
    return { kind: 'context', name: source.kind === 'context' ? source.name : undefined };
  planned.dependencies.push(node);
  return { kind: 'node', node };
}
