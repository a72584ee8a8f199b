import type { WorkerHost } from './host.ts';

/** What a worker found out about the machine; for `slipway info`. */
export interface HostDescription {
  /** False: a part of /proc is hidden, so that containers get the outer one. */
  ownProc: boolean;
  snapshotter: string;
  snapshotterReason: string;
  runtime: string;
  runtimeReason: string;
}

/** Tries what a build would use. Throws as the choice of a runtime. */
export async function describeHost(host: WorkerHost): Promise<HostDescription> {
  const { snapshotter, reason: snapshotterReason } = host.chosenSnapshotter();
  const { runtime, reason: runtimeReason } = await host.selectedRuntime();
  return {
    ownProc: host.ownProc,
    snapshotter: snapshotter.name,
    snapshotterReason,
    runtime: runtime.name,
    runtimeReason,
  };
}
