import { EnvList } from '../dockerfile/scope.ts';
import { formatPlatform, normalizePlatform, samePlatform } from '../image/platform.ts';
import type { ContainerConfig, ImageConfig, Platform } from '../image/types.ts';
import { applyCopy, applyWorkdir } from './copy.ts';
import { errorAt, locating } from './fail.ts';
import { lineNotes } from './lines.ts';
import type { Command, LinkedStage, Source } from './link.ts';
import {
  applyArg,
  applyCmd,
  applyEntrypoint,
  applyEnv,
  applyExpose,
  applyHealthcheck,
  applyLabel,
  applyMaintainer,
  applyShell,
  applyStopSignal,
  applyUser,
  applyVolume,
} from './metadata.ts';
import type { Base } from './resolve.ts';
import { platformOf } from './resolve.ts';
import { applyRun } from './run.ts';
import { addNode, type Builder, nextLabel, noteBase, noteContext, type StageState } from './stage-state.ts';
import type { NodeId } from './types.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The fields of an image's configuration that a child takes over (SPEC F7); others are dropped, as Docker does. */
const INHERITED = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'Shell',
] as const satisfies readonly (keyof ContainerConfig)[];

/** Plans a stage: its base, then every instruction in order. */
export function planStage(builder: Builder, stage: LinkedStage, planIndex: number): StageState {
  const state = startStage(builder, stage, planIndex);
  const note = builder.options.withLines ? lineNotes(state, stage) : () => {};
  if (stage.replacedBy !== undefined) return state;
  for (const command of stage.commands) {
    locating(builder.options, command, () => applyCommand(builder, state, command));
    note(command);
  }
  return state;
}

function applyCommand(builder: Builder, state: StageState, command: Command): void {
  const { instruction } = command;
  const step = { builder, state, command };
  switch (instruction.keyword) {
    case 'RUN':
      applyRun({ ...step, instruction });
      break;
    case 'COPY':
    case 'ADD':
      applyCopy({ ...step, instruction });
      break;
    case 'ENV':
      applyEnv({ ...step, instruction });
      break;
    case 'LABEL':
      applyLabel({ ...step, instruction });
      break;
    case 'ARG':
      applyArg({ ...step, instruction });
      break;
    case 'WORKDIR':
      applyWorkdir({ ...step, instruction });
      break;
    case 'USER':
      applyUser({ ...step, instruction });
      break;
    case 'STOPSIGNAL':
      applyStopSignal({ ...step, instruction });
      break;
    case 'MAINTAINER':
      applyMaintainer({ ...step, instruction });
      break;
    case 'EXPOSE':
      applyExpose({ ...step, instruction });
      break;
    case 'VOLUME':
      applyVolume({ ...step, instruction });
      break;
    case 'CMD':
      applyCmd({ ...step, instruction });
      break;
    case 'ENTRYPOINT':
      applyEntrypoint({ ...step, instruction });
      break;
    case 'HEALTHCHECK':
      applyHealthcheck({ ...step, instruction });
      break;
    case 'SHELL':
      applyShell({ ...step, instruction });
      break;
    case 'ONBUILD':
      state.config.OnBuild = [...(state.config.OnBuild ?? []), instruction.trigger];
      break;
    case 'FROM':
      throw errorAt(builder.options, command.range, {
        kind: 'invalid',
        message: "FROM isn't allowed as an ONBUILD trigger",
        code: 'TRIGGER_INVALID',
      });
  }
}

function startStage(builder: Builder, stage: LinkedStage, planIndex: number): StageState {
  const { noCache } = builder.options;
  const state: StageState = {
    stage,
    planIndex,
    platform: builder.options.platform,
    scope: { env: new EnvList(), args: [] },
    config: {},
    author: undefined,
    history: [],
    result: '',
    stepIndex: 0,
    workdirGiven: false,
    given: new Map(),
    noCache:
      typeof noCache === 'boolean'
        ? noCache
        : noCache.some((name) => name.toLowerCase() === (stage.name ?? '')),
  };
  const source: Source =
    stage.replacedBy === undefined ? stage.base : { kind: 'context', ...stage.replacedBy };
  if (source.kind === 'stage') {
    inheritStage(state, builder.states.get(source.stage)!);
    return state;
  }
  if (source.kind === 'context') noteContext(builder, source);
  if (source.kind === 'scratch' || (source.kind === 'context' && source.context.kind === 'scratch')) {
    if (builder.options.bare !== true) state.config.WorkingDir = '/';
    state.result = addRoot(builder, state);
  } else if (source.kind === 'context' && source.context.kind === 'files') {
    state.result = addContextRoot(builder, state, source.name);
    // What stands for a whole stage brings files and no configuration at all.
    if (stage.replacedBy !== undefined) return state;
  } else {
    startFromImage(builder, state, builder.resolution.imageOf(source, platformOf(stage, builder.options)));
  }
  if (state.platform.os !== 'windows' && builder.options.bare !== true && !hasPath(state.config)) {
    state.config.Env = [...(state.config.Env ?? []), `PATH=${DEFAULT_PATH}`];
  }
  state.scope.env = EnvList.parse(state.config.Env ?? []);
  return state;
}

/** FROM of a stage: everything but its ONBUILD, its place in progress and what it gave last. */
function inheritStage(state: StageState, parent: StageState): void {
  const { OnBuild: _, ...config } = structuredClone(parent.config);
  state.config = config;
  state.platform = parent.platform;
  state.author = parent.author;
  state.history = [...parent.history];
  state.result = parent.result;
  state.workdirGiven = parent.workdirGiven;
  // The parent's ARGs are seen too.
  state.scope = { env: parent.scope.env.clone(), args: [...parent.scope.args] };
}

function startFromImage(builder: Builder, state: StageState, base: Base): void {
  const { config: image, reference, imageId, diffIds } = base;
  const expected = platformOf(state.stage, builder.options);
  noteBase(builder, base, expected);
  const actual = platformOfImage(image);
  if (!samePlatform({ ...actual, variant: '' }, { ...expected, variant: '' })) {
    builder.report.add(
      'InvalidBaseImagePlatform',
      state.stage.from,
      state.stage.baseName,
      formatPlatform(actual),
      formatPlatform(expected),
    );
  }
  state.platform = actual;
  const config: ContainerConfig = {};
  for (const key of INHERITED) {
    const value = image.config[key];
    if (value !== undefined && value !== null) Object.assign(config, { [key]: structuredClone(value) });
  }
  for (const label of builder.options.unsetLabels) delete config.Labels?.[label];
  state.config = config;
  state.author = image.author;
  state.history = structuredClone(image.history ?? []);
  // An image without layers is as good as scratch.
  state.result =
    diffIds.length === 0
      ? addRoot(builder, state)
      : addNode(builder, {
          stage: state.planIndex,
          operation: { kind: 'image', reference, imageId, diffIds, ...(base.remote && { remote: true }) },
          title: `FROM ${reference}`,
          label: nextLabel(builder, state),
          range: state.stage.from.range,
          dependencies: [],
        });
}

function addRoot(builder: Builder, state: StageState): NodeId {
  return addNode(builder, {
    stage: state.planIndex,
    operation: { kind: 'scratch' },
    title: 'FROM scratch',
    label: '',
    range: state.stage.from.range,
    dependencies: [],
  });
}

/** The files of a named context as a root file system. */
function addContextRoot(builder: Builder, state: StageState, name: string): NodeId {
  const parent = addRoot(builder, state);
  return addNode(builder, {
    stage: state.planIndex,
    operation: {
      kind: 'copy',
      instruction: 'COPY',
      parent,
      from: { kind: 'context', name },
      sources: ['/'],
      heredocs: [],
      destination: '/',
      chown: undefined,
      chmod: undefined,
      link: false,
      parents: false,
      exclude: [],
      unpack: undefined,
    },
    title: `FROM ${name}`,
    label: nextLabel(builder, state),
    range: state.stage.from.range,
    dependencies: [],
  });
}

function platformOfImage(image: ImageConfig): Platform {
  const osVersion = image['os.version'];
  return normalizePlatform({
    os: image.os,
    architecture: image.architecture,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
    ...(osVersion === undefined ? {} : { osVersion }),
  });
}

function hasPath(config: ContainerConfig): boolean {
  return (config.Env ?? []).some((entry) => entry.startsWith('PATH=') || entry === 'PATH');
}
