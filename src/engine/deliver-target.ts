import { isMultiPlatform } from '../dockerfile/multi-platform.ts';
import type { Descriptor } from '../image/types.ts';
import type { Plan } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { annotationsOf, putAnnotations } from '../store/image-annotations.ts';
import { putImage } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { AssembledImage } from './assemble-image.ts';
import type { BuildOptions } from './options.ts';
import type { BuildOutput } from './output-options.ts';
import type { StoreSession } from './session.ts';
import type { WantedTarget } from './wanted-targets.ts';

/** A target with its image. */
export interface TargetResult extends WantedTarget {
  /** Its stage, as progress shows it. */
  name: string;
  image: AssembledImage;
  /** Of the first archive that it was written to. */
  manifest?: Descriptor;
}

/** As BuildKit's exporters call themselves. */
function exportTitle(type: BuildOutput['type'] | undefined): string {
  switch (type) {
    case 'local':
      return 'exporting to client directory';
    case 'tar':
      return 'exporting to client tarball';
    case 'oci':
      return 'exporting to oci image format';
    case 'docker':
      return 'exporting to docker image format';
    default:
      return 'exporting to image';
  }
}

/** Whether the image of a target is to be kept in the store. */
export function isStored(
  options: BuildOptions,
  { tags, outputs }: Pick<WantedTarget, 'tags' | 'outputs'>,
): boolean {
  return options.store ?? (tags.length > 0 || outputs.length === 0);
}

export interface Delivery {
  job: { options: BuildOptions; store: Store; signal: AbortSignal; emit: (event: BuildEvent) => void };
  plan: Plan;
  session: StoreSession;
}

/**
 * Puts the image of a target into the store under its names, and wherever else it is wanted. Gives the manifest of the
 * first archive that it was written to.
 */
export async function deliverTarget(
  result: TargetResult,
  { job, plan, session }: Delivery,
): Promise<Descriptor | undefined> {
  const { options, store, emit } = job;
  const { image, tags, outputs, name } = result;
  const several = plan.targets !== undefined;
  const vertex = several ? `export ${name}` : 'export';
  const what = exportTitle(isStored(options, result) ? undefined : outputs[0]?.type);
  const title = several ? what.replace('exporting', `exporting ${name}`) : what;
  emit({ type: 'announced', vertex, name: title, inputs: [], internal: true });
  emit({ type: 'started', vertex, time: Date.now() });
  const note = (id: string): void => {
    const time = Date.now();
    emit({ type: 'status', vertex, id, current: 0, unit: 'items', time, done: true });
  };
  if (isStored(options, result)) {
    putImage(store, { config: image.config.bytes, tags });
    if (options.annotations !== undefined || annotationsOf(store, image.config.digest) !== undefined) {
      putAnnotations(store, image.config.digest, options.annotations);
    }
    note(`writing image ${image.config.digest}`);
    for (const tag of tags) note(`naming to ${tag}`);
  }
  let manifest: Descriptor | undefined;
  if (outputs.length > 0) {
    const { writeOutputs } = await import('./write-outputs.ts');
    manifest = await writeOutputs({
      store,
      image,
      tags,
      outputs,
      cwd: options.cwd ?? process.cwd(),
      clampMtime: options.rewriteTimestamp === false ? undefined : plan.epoch,
      platform: plan.platform,
      multiPlatform: isMultiPlatform(new Map(Object.entries(options.buildArgs ?? {}))),
      annotations: options.annotations,
      note,
      session,
      env: options.env ?? process.env,
      signal: job.signal,
    });
  }
  emit({ type: 'ended', vertex, time: Date.now(), outcome: 'done' });
  return manifest;
}
