import type { Instruction, ParseError } from '../../grammar/ast.ts';
import type { Digest, ImageConfig, Platform } from '../image/types.ts';
import type { RemoteSource } from './types.ts';

/** An image of the store, as far as a plan needs it. */
export interface ResolvedImage {
  imageId: Digest;
  config: ImageConfig;
  diffIds: Digest[];
  /** It is in a registry and not in the store: the platform that it was asked for. */
  remote?: Platform;
}

/**
 * What a `--build-context` name stands for: files, an image by its normalised reference, nothing, or an image without a
 * name, which `resolveContext` gives (a layout, another build). Descriptions have no credentials.
 */
export type NamedContext =
  | { kind: 'files'; description: string }
  | { kind: 'image'; reference: string }
  | { kind: 'scratch' }
  | { kind: 'result'; description: string };

/** Whose time a build is to have. */
export type TimeSource =
  /** The build context, or a named one. */
  { kind: 'context'; name?: string } | { kind: 'remote'; source: RemoteSource };

/** Reads the text of an ONBUILD trigger: the grammar's `parseTrigger`. */
export type ParseTrigger = (trigger: string) => {
  instruction?: Instruction | undefined;
  errors: readonly ParseError[];
};

/** What a plan depends on beside the Dockerfile. */
export interface PlanOptions {
  /** Name of the stage to build; undefined for the last one. */
  target?: string | undefined;
  /** Several stages to build, each once; `target` is then ignored. */
  targets?: readonly string[] | undefined;
  /** Plan every stage of the file, also those that no target needs. */
  allStages?: boolean | undefined;
  buildArgs: ReadonlyMap<string, string>;
  /** `--label`: merged into the target's configuration last. */
  labels: ReadonlyMap<string, string>;
  /** Variables that the target's configuration does not keep, and labels that are not taken from a base image. */
  unsetEnv: readonly string[];
  unsetLabels: readonly string[];
  /** Say of every line what it leaves (`PlannedStage.lines`). */
  withLines: boolean;
  /** A stage of nothing begins with no configuration at all, without the PATH and the working directory of a build. */
  bare?: boolean | undefined;
  /** What the result is for, and where the build runs. */
  platform: Platform;
  buildPlatform: Platform;
  /** One of several platforms: labels say which. */
  severalPlatforms: boolean;
  /** Of RUN without `--network`. */
  network: 'default' | 'none' | 'host';
  /** All steps, or those of the named stages, run again. */
  noCache: boolean | readonly string[];
  /** Entitlements given with `--allow`: `network.host`, `security.insecure`. */
  allow: readonly string[];
  /** By short name, as `contextName` of the engine makes it; a platform may stand behind `::`. */
  namedContexts: ReadonlyMap<string, NamedContext>;
  /** Looks up a normalised reference; undefined when there is no such image. */
  resolveImage: (reference: string, platform: Platform) => Promise<ResolvedImage | undefined>;
  /** `resolveImage` asks registries too. */
  asksRegistries: boolean;
  /** The image of a named context of the kind `result`. */
  resolveContext: (name: string, platform: Platform) => Promise<ResolvedImage>;
  /** Seconds since 1970; undefined for what has no time, like a directory. */
  timeOf: (source: TimeSource) => Promise<number | undefined>;
  parseTrigger: ParseTrigger;
  /** For the places of errors: the Dockerfile's name and whole text. */
  file: string;
  text: string;
}

/** Options with everything optional that has a usual value. */
export type PlanInput = Pick<PlanOptions, 'platform' | 'resolveImage' | 'parseTrigger'> &
  Partial<PlanOptions>;

/** Fills in what the usual build has. */
export function withPlanDefaults(input: PlanInput): PlanOptions {
  return {
    buildArgs: new Map(),
    labels: new Map(),
    unsetEnv: [],
    unsetLabels: [],
    withLines: false,
    buildPlatform: input.platform,
    severalPlatforms: false,
    network: 'default',
    noCache: false,
    allow: [],
    namedContexts: new Map(),
    asksRegistries: false,
    timeOf: async () => undefined,
    resolveContext: (name) => Promise.reject(new Error(`no context ${name}`)),
    file: 'Dockerfile',
    text: '',
    ...input,
  };
}
