import type { Digest } from '../../image/types.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { ProgressSink } from '../../progress/sink.ts';
import type { BuildOptions, BuildResult } from '../options.ts';
import type { TargetContext } from './named-context.ts';

/**
 * Builds the target of another build that a named context is, into the same store; gives the image's id. What the
 * other build does not say it takes from the build that needs it: store, platform, arguments, secrets and so on.
 */
export async function buildTarget(
  request: { name: string; build: TargetContext['build']; outer: BuildOptions },
  run: (options: BuildOptions) => Promise<BuildResult>,
): Promise<Digest> {
  const { name, build, outer } = request;
  const {
    tags: _,
    outputs: __,
    file: ___,
    dockerfile: ____,
    target: _____,
    targets: ______,
    // What is told and left is about the build that was asked for.
    cacheTo: _______,
    onResult: ________,
    onStart: _________,
    platforms: __________,
    ...shared
  } = outer;
  const result = await run({
    ...shared,
    buildContexts: {},
    ...build,
    store: true,
    outputs: [],
    ...(outer.progress === undefined ? {} : { progress: inner(name, outer.progress) }),
  });
  return result.imageId;
}

/** Events of the other build under names of their own; the display stays open. */
function inner(name: string, sink: ProgressSink): ProgressSink {
  const prefix = `${name}/`;
  return {
    event(event) {
      sink.event(renamed(event, prefix));
    },
    close: async () => {},
  };
}

function renamed(event: BuildEvent, prefix: string): BuildEvent {
  if (event.type === 'announced')
    return {
      ...event,
      vertex: prefix + event.vertex,
      name: `[context ${prefix.slice(0, -1)}] ${event.name}`,
      inputs: event.inputs.map((input) => prefix + input),
    };
  return 'vertex' in event ? { ...event, vertex: prefix + event.vertex } : event;
}
