import { closeSync, openSync } from 'node:fs';
import { SlipwayError } from '../../errors/index.ts';
import type { Platform } from '../../image/types.ts';
import type { RunOperation } from '../../plan/types.ts';
import { EmbeddedRuntime } from '../../runtime/embedded/embedded-runtime.ts';
import { prepareMountPoints, removeMountPoints } from '../../runtime/mount-points.ts';
import type { ContainerSpec } from '../../runtime/types.ts';
import { bytesOf } from '../../sys/bytes.ts';
import type { BoundSource, ExecuteHooks, RunSettings } from '../executor.ts';
import type { ActiveSnapshot } from '../snapshot/snapshotter.ts';
import { prepareHashHeavy } from '../step/hash-heavy.ts';
import { resolveMappedUser, SUBORDINATE_IDS_HINT } from '../step/mapped-account.ts';
import { ensureDirectory } from '../step/root-path.ts';
import type { WorkerHost } from '../worker/host.ts';
import { prepareDevices } from './devices.ts';
import { emulationFor } from './emulation.ts';
import { networkFiles } from './network-files.ts';
import { outputPipe } from './output.ts';
import { watchMemory } from './peak-memory.ts';
import { placeMounts } from './placed-mounts.ts';
import { OwnerRefusals } from './refused-owner.ts';
import { prepareRunMounts, type Secrets } from './run-mounts.ts';
import { watchChanges } from './watch-changes.ts';

export interface RunStepRequest {
  host: WorkerHost;
  snapshot: ActiveSnapshot;
  operation: RunOperation;
  /** What its programs are for. */
  platform: Platform;
  sources: BoundSource[];
  secrets: Secrets;
  agents: readonly string[];
  settings?: RunSettings | undefined;
  hooks: ExecuteHooks;
  signal: AbortSignal;
}

export interface RunOutcome {
  /** See `ExecuteResult`. */
  peakMemory: number | undefined;
}

/**
 * RUN: one container on a snapshot (SPEC 1.8). Resolves when its process has ended with 0 and nothing is left of
 * it but its changes; rejects with `step-failed` for any other exit code.
 */
export async function runStep(request: RunStepRequest): Promise<RunOutcome> {
  const { host, snapshot, operation, hooks, signal, settings = {} } = request;
  const emulation = await emulationFor(host, request.platform);
  const { userNamespace } = emulation ?? {};
  // No OCI runtime takes a namespace for the program alone.
  const runtime = userNamespace === undefined ? await host.runtime() : new EmbeddedRuntime();
  const root = bytesOf(snapshot.root);
  const account = resolveMappedUser(host, root, operation.user);
  ensureDirectory(root, bytesOf(operation.cwd));
  const devices = prepareDevices(operation, host);
  const { askAgent } = hooks;
  const prepared = await prepareRunMounts({ ...request, askAgent, root, scratch: snapshot.scratch });
  try {
    const mounts = [
      // Read-only, as in Docker: a change would be lost without a word.
      ...networkFiles({
        scratch: snapshot.scratch,
        hostname: operation.hostname,
        extraHosts: settings.extraHosts ?? [],
        readOnly: true,
      }),
      ...prepared.mounts,
      ...devices.mounts,
    ];
    const env = [...operation.env, ...operation.hiddenEnv, ...devices.env, ...prepared.env];
    const spec: ContainerSpec = {
      id: `slipway-${host.lease}-${snapshot.scratch.split('/').at(-1)}`,
      rootfs: snapshot.root,
      args: operation.args,
      env: env.some((entry) => entry.startsWith('HOME=')) ? env : [...env, `HOME=${account.home}`],
      cwd: operation.cwd,
      user: account,
      hostname: operation.hostname,
      mounts,
      network: operation.network === 'none' ? 'none' : 'host',
      security: operation.security,
      ...(devices.nodes.length === 0 ? {} : { devices: devices.nodes }),
      ...(userNamespace === undefined ? {} : { userNamespace }),
      ...(settings.shmSize === undefined ? {} : { shmSize: settings.shmSize }),
      ...(settings.ulimits === undefined ? {} : { rlimits: [...settings.ulimits] }),
      ...cgroupOf(request),
    };
    const points = prepareMountPoints(snapshot.root, spec.mounts);
    let takeOut = (): void => {};
    try {
      if (host.tier === 'none') {
        takeOut = placeMounts(host, snapshot, mounts);
        spec.mounts = [];
      }
      const stdin = openSync('/dev/null', 'r');
      const refusals = host.tier === 'single' ? new OwnerRefusals() : undefined;
      const onLog = (stream: 'stdout' | 'stderr') => (data: Buffer) => {
        refusals?.add(data);
        return hooks.onLog(stream, data);
      };
      const stdout = outputPipe(host.sys, onLog('stdout'));
      const stderr = outputPipe(host.sys, onLog('stderr'));
      let container: Awaited<ReturnType<typeof runtime.start>>;
      try {
        const io = { kind: 'files', stdin, stdout: stdout.write, stderr: stderr.write } as const;
        container = await runtime.start(spec, io, signal);
      } finally {
        for (const fd of [stdin, stdout.write, stderr.write]) closeSync(fd);
      }
      // Without a /proc of its own the worker cannot find the container's processes there.
      const memory = host.ownProc ? watchMemory(container.pid) : undefined;
      // The threads that will digest a large layer are there when the command ends.
      const changes =
        snapshot.changes === undefined ? undefined : watchChanges(snapshot.changes, prepareHashHeavy);
      for (const warning of container.warnings ?? []) hooks.onWarning?.('LIMIT_DISCARDED', warning);
      const exit = await container.exited.finally(() => changes?.stop());
      const peakMemory = memory?.stop();
      await Promise.all([stdout.drained, stderr.drained]);
      signal.throwIfAborted();
      if (exit.exitCode !== 0) throw failed(operation, exit.exitCode, refusals?.seen);
      return { peakMemory };
    } finally {
      takeOut();
      removeMountPoints(points);
    }
  } finally {
    prepared.release();
  }
}

/** A cgroup of its own where a limit or a place for it was asked for. */
function cgroupOf({ host, snapshot, settings }: RunStepRequest): Pick<ContainerSpec, 'cgroup'> {
  const { resources, cgroupParent } = settings ?? {};
  if (resources === undefined && cgroupParent === undefined) return {};
  const name = `slipway-${host.lease}/${snapshot.scratch.split('/').at(-1)}`;
  return { cgroup: { limits: resources ?? {}, parent: cgroupParent, name } };
}

function failed(operation: RunOperation, exitCode: number, ownerRefused = false): SlipwayError {
  return new SlipwayError(
    'step-failed',
    `process "${operation.command}" did not complete successfully: exit code: ${exitCode}`,
    { code: 'STEP_FAILED', exitCode, hint: ownerRefused ? SUBORDINATE_IDS_HINT : exitHint(exitCode) },
  );
}

/** What shells and kernels mean by the codes that puzzle people. */
function exitHint(exitCode: number): string | undefined {
  if (exitCode === 126)
    return 'The command was found and may not be executed: look at its mode and its interpreter.';
  if (exitCode === 127) return 'The command was not found in this stage: is it installed, and on PATH?';
  if (exitCode === 137) return 'It was killed (SIGKILL): by the kernel when memory ran out, or from outside.';
  return undefined;
}
