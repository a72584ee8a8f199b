import type { Descriptor, Digest, Platform } from '../image/types.ts';
import type { Plan } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import { rememberAnnotations } from '../store/image-annotations.ts';
import { putImage } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import type { AssembledImage } from './assemble-image.ts';
import type { BuildOptions } from './options.ts';
import type { BuildOutput } from './output-options.ts';
import type { StoreSession } from './session.ts';
import type { WantedTarget } from './wanted-targets.ts';

/** A target's image for one of several platforms. */
export interface PlatformImage {
  platform: Platform;
  image: AssembledImage;
}

/** A target with its image. */
export interface TargetResult extends WantedTarget {
  /** Its stage, as progress shows it. */
  name: string;
  /** Of several platforms the first one's. */
  image: AssembledImage;
  /** For all platforms, where the result is an index. */
  variants?: PlatformImage[];
  /** Digest of that index. */
  index?: Digest;
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
  job: {
    options: BuildOptions;
    wanted: readonly WantedTarget[];
    store: Store;
    signal: AbortSignal;
    emit: (event: BuildEvent) => void;
  };
  plan: Plan;
  session: StoreSession;
}

/** What became of a target. */
export interface Delivered {
  /** Of the first archive or registry that it was written to. */
  manifest?: Descriptor;
  /** Digest of the store's index, where there are several platforms. */
  index?: Digest;
}

/** Puts the image of a target into the store under its names, and wherever else it is wanted. */
export async function deliverTarget(result: TargetResult, delivery: Delivery): Promise<Delivered> {
  const { job, plan, session } = delivery;
  const { options, store, emit } = job;
  const { image, tags, outputs, name, variants } = result;
  const several = job.wanted.length > 1;
  const vertex = several ? `export ${name}` : 'export';
  const what = exportTitle(isStored(options, result) ? undefined : outputs[0]?.type);
  const title = several ? what.replace('exporting', `exporting ${name}`) : what;
  emit({ type: 'announced', vertex, name: title, inputs: [], internal: true });
  emit({ type: 'started', vertex, time: Date.now() });
  const note = (id: string): void => {
    const time = Date.now();
    emit({ type: 'status', vertex, id, current: 0, unit: 'items', time, done: true });
  };
  const delivered: Delivered = {};
  if (variants !== undefined) {
    const { describeIndex, storeIndex } = await import('./store-index.ts');
    const index = describeIndex(store, variants, options.annotations);
    delivered.index = index.document.digest;
    if (isStored(options, result)) {
      storeIndex(store, index, tags);
      for (const { config } of index.members) note(`writing image ${config.digest}`);
      note(`writing index ${index.document.digest}`);
      for (const tag of tags) note(`naming to ${tag}`);
    }
  } else if (isStored(options, result)) {
    putImage(store, { config: image.config.bytes, tags });
    rememberAnnotations(store, image.config.digest, options.annotations);
    note(`writing image ${image.config.digest}`);
    for (const tag of tags) note(`naming to ${tag}`);
  }
  if (outputs.length > 0) {
    const { writeOutputs } = await import('./write-outputs.ts');
    const manifest = await writeOutputs({
      store,
      images: variants ?? [{ platform: plan.platform, image }],
      makesIndex: variants !== undefined,
      tags,
      outputs,
      cwd: options.cwd ?? process.cwd(),
      clampMtime: options.rewriteTimestamp === false ? undefined : plan.epoch,
      annotations: options.annotations,
      note,
      session,
      env: options.env ?? process.env,
      signal: job.signal,
    });
    if (manifest !== undefined) delivered.manifest = manifest;
  }
  emit({ type: 'ended', vertex, time: Date.now(), outcome: 'done' });
  return delivered;
}
