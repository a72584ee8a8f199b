/** Slipway as a library: parse, plan and build Dockerfiles. Everything exported here is typed and documented. */
export type * from '../grammar/ast.ts';
export { parse } from '../grammar/parse.ts';
export { print } from '../grammar/printer.ts';
export { type ContainerControl, type RunContainerOptions, run } from './container/run.ts';
export { build } from './engine/build.ts';
export type { ImageOptions } from './engine/image-options.ts';
export type { BuildOptions, BuildResult, BuildTarget, BuiltImage } from './engine/options.ts';
export type { BuildOutput } from './engine/output-options.ts';
export { type PlanRequest, plan } from './engine/plan.ts';
export { cacheUsage, type PruneOptions, type PruneResult, prune } from './engine/prune.ts';
export type { SecretSource } from './engine/secrets.ts';
export type { ErrorKind, ErrorLocation, SourcePosition, SourceRange } from './errors/index.ts';
export { SlipwayError } from './errors/index.ts';
export type { RunSettings } from './execute/executor.ts';
export { drawPlan } from './plan/draw-text.ts';
export type * from './plan/types.ts';
export type { BuildEvent } from './progress/events.ts';
export type { ProgressSink } from './progress/sink.ts';
