import type { IgnoreFrom } from '../context/directory-context.ts';
import type { ImageOptions } from '../engine/image-options.ts';
import type { SecretSource } from '../engine/secrets.ts';
import type { SshSource } from '../engine/ssh/agents.ts';
import type { RunSettings } from '../execute/executor.ts';
import type { ProgressMode } from '../progress/create-sink.ts';
import type { ExplainFormat } from './commands/explain-format.ts';
import type { IsolationChoice } from './isolation-choice.ts';
import type { OutputSpec } from './output-keys.ts';
import type { RuntimeName } from './runtime-name.ts';

/** What a `build` command line asks for: texts as given, but for what the command line's own rules resolve. */
export interface BuildRequest {
  /** PATH, URL or `-`. */
  context: string;
  /** Path, URL or `-`; undefined is the context's Dockerfile. */
  file: string | undefined;
  ignoreFrom: IgnoreFrom | undefined;
  /** `--build-context`, by name. */
  buildContexts: Record<string, string>;
  /** As given, checked to be valid names. */
  tags: string[];
  target: string | undefined;
  /** Several targets, each with its own names and outputs; `tags`, `target` and `outputs` are then empty. */
  targets: { stage: string; tags: string[]; outputs: OutputSpec[] }[];
  allStages: boolean;
  normalizeModes: boolean;
  /** `--build-arg name` without a value has taken it from the environment. */
  buildArgs: Record<string, string>;
  image: ImageOptions;
  /** By id. */
  secrets: Record<string, SecretSource>;
  /** Paths by id. */
  ssh: Record<string, SshSource>;
  /** Entitlements, as given. */
  allow: string[];
  ignoreSyntax: boolean;
  /** All steps, or those of the named stages. */
  noCache: boolean | string[];
  pull: boolean;
  /** For RUN without `--network`. */
  network: 'default' | 'none' | 'host';
  /** For every RUN. */
  steps: RunSettings;
  runtime: RuntimeName;
  /** Undefined leaves it to SLIPWAY_ISOLATION. */
  isolation: IsolationChoice | undefined;
  /** As given; empty is this machine's. */
  platforms: string[];
  progress: ProgressMode;
  /** How to say at the end why steps ran; undefined does not. */
  explain: ExplainFormat | undefined;
  /** Only the image id is printed. */
  quiet: boolean;
  /** Keep an image for every line of the Dockerfile, as the classic builder does. */
  keepLines: boolean;
  iidFile: string | undefined;
  metadataFile: string | undefined;
  /** Steps at the same time; undefined leaves it to the scheduler. */
  jobs: number | undefined;
  /** Bytes. */
  memoryBudget: number | undefined;
  outputs: OutputSpec[];
  /** As given. */
  cacheFrom: string[];
  cacheTo: string[];
}
