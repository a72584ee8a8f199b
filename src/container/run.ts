import { openStoreForWork } from '../engine/open-store.ts';
import { StoreSession } from '../engine/session.ts';
import type { EarlyWorker } from '../execute/early-worker.ts';
import { type IsolationChoice, NO_ISOLATION_WARNING } from '../execute/isolation.ts';
import { formatPlatform, localPlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import { runsHere } from '../runtime/emulation/processors.ts';
import type { ContainerExit } from '../runtime/types.ts';
import { findImage } from '../store/find-image.ts';
import { forPlatforms } from '../store/find-platform.ts';
import { imageDocuments, imageLayers } from '../store/images.ts';
import { holdLayers } from '../store/layers.ts';
import { prepareContainer, type RunOptions } from './prepare-container.ts';

export interface RunContainerOptions extends RunOptions {
  /** Name or id of an image of the store. */
  image: string;
  /** Which image of one for several platforms; one that is for another platform is refused. */
  platform?: Platform | undefined;
  root?: string | undefined;
  runtime?: 'auto' | 'crun' | 'runc' | 'embedded';
  /** As for a build. */
  isolation?: IsolationChoice | undefined;
  env?: Readonly<Record<string, string>>;
  /** Environment of the builder itself; default `process.env`. */
  hostEnv?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** See `BuildOptions`; with the standard streams of this process. */
  early?: EarlyWorker | undefined;
  /** Told once of what a user should know before it starts. */
  onWarning?: (text: string) => void;
  /** Called once the container can take signals and sizes. */
  onStart?: (control: ContainerControl) => void;
}

/** Reaches into the running container. */
export interface ContainerControl {
  kill(signal: NodeJS.Signals): void;
  resize(rows: number, columns: number): void;
}

/**
 * Runs a container of an image on the caller's own standard streams and drops its changes when it ends.
 *
 * Throws `not-found` for an image that is not there, `EXEC_NOT_FOUND`, `EXEC_DENIED` and `EXEC_FORMAT` for a program
 * that cannot be started, `EMULATOR_MISSING` where that is since it is for another processor, `canceled` when the signal aborts.
 */
export async function run(options: RunContainerOptions): Promise<ContainerExit> {
  const hostEnv = options.hostEnv ?? process.env;
  using store = openStoreForWork({ root: options.root, env: hostEnv, isolation: options.isolation });
  const { platform } = options;
  const asked = { text: options.image, found: findImage(store, options.image) };
  const { image } = forPlatforms(store, asked, platform && [platform]);
  const layers = imageLayers(store, image.id).flatMap((layer) => layer.stack);
  const { parsed } = imageDocuments(store, image.id)!;
  const { os, architecture, variant, config } = parsed;
  const about = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  const request = prepareContainer({ ...about, config }, layers, options);
  if (platform === undefined && !runsHere(request.platform, localPlatform()))
    options.onWarning?.(
      `The requested image's platform (${formatPlatform(request.platform)}) does not match the detected host platform (${formatPlatform(localPlatform())}) and no specific platform was requested`,
    );
  const session = new StoreSession({
    store,
    env: hostEnv,
    runtime: options.runtime ?? 'auto',
    isolation: options.isolation,
    inheritStdio: true,
    early: options.early,
  });
  if (options.signal) session.killAfterAbort(options.signal);
  try {
    holdLayers(store, session.lease(), layers);
    const { client, isolation } = await session.worker();
    if (isolation.tier === 'none') options.onWarning?.(NO_ISOLATION_WARNING);
    options.onStart?.({
      kill: (signal) => void client.call('container-signal', { signal }).catch(() => {}),
      resize: (rows, columns) => void client.call('container-resize', { rows, columns }).catch(() => {}),
    });
    return await client.call<ContainerExit>('container', request, {
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } finally {
    await session.close();
  }
}
