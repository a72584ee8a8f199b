import { chmodSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import type { ErrorSubject } from '../../errors/subject.ts';
import type { RunMount, RunOperation } from '../../plan/types.ts';
import type { Mount } from '../../runtime/types.ts';
import { type BytePath, bufferOf, bytesOf } from '../../sys/bytes.ts';
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID } from '../../sys/constants.ts';
import { copyTree } from '../copy/copy-tree.ts';
import type { BoundSource, RunSettings, StepSource } from '../executor.ts';
import { MetadataKeeper } from '../step/metadata-keeper.ts';
import { joinRoot, resolveInRoot } from '../step/root-path.ts';
import type { WorkerHost } from '../worker/host.ts';
import { holdCache } from './cache-mount.ts';
import { type AskAgent, openSshSocket } from './ssh-socket.ts';

/** Content of the secrets that a step may see, by id. */
export type Secrets = Map<string, Buffer>;

export interface RunMountsRequest {
  host: WorkerHost;
  operation: RunOperation;
  sources: BoundSource[];
  secrets: Secrets;
  /** Ids of the ssh agents that there are. */
  agents: readonly string[];
  askAgent: AskAgent | undefined;
  /** Absolute path of the root file system that the mounts go into. */
  root: BytePath;
  /** Directory outside the root file system for what has to be made. */
  scratch: string;
  settings?: RunSettings | undefined;
  signal: AbortSignal;
}

/** The mounts of a RUN, made ready. */
export interface PreparedMounts {
  mounts: Mount[];
  /** `KEY=value` from secrets with `env=`. */
  env: string[];
  /** Takes everything back; call once the container is gone. */
  release(): void;
}

/** Makes `RUN --mount` sources ready (SPEC 1.9): views of stages, copies of context files, caches, secrets. */
export async function prepareRunMounts(request: RunMountsRequest): Promise<PreparedMounts> {
  const { operation } = request;
  const prepared: Mount[] = [];
  const env: string[] = [];
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const undo of releases.splice(0).reverse()) undo();
  };
  try {
    for (const [index, mount] of operation.mounts.entries()) {
      const source = request.sources.find((bound) => bound.mount === index)?.source;
      const context = { request, index, source, releases };
      if (mount.type === 'secret') {
        const secret = prepareSecret(mount, context);
        prepared.push(...secret.mounts);
        env.push(...secret.env);
      } else if (mount.type === 'ssh') {
        prepared.push(...(await prepareSsh(mount, context)));
      } else {
        prepared.push(await prepareMount(mount, context));
      }
    }
    if (operation.scripts.length > 0) prepared.push(prepareScripts(request));
    return { mounts: prepared, env, release };
  } catch (error) {
    release();
    throw error;
  }
}

interface MountContext {
  request: RunMountsRequest;
  index: number;
  source: StepSource | undefined;
  releases: (() => void)[];
}

async function prepareMount(
  mount: Exclude<RunMount, { type: 'secret' | 'ssh' }>,
  context: MountContext,
): Promise<Mount> {
  const { request, releases } = context;
  switch (mount.type) {
    case 'tmpfs':
      return {
        type: 'tmpfs',
        source: 'tmpfs',
        target: mount.target,
        options: [
          'nosuid',
          'nodev',
          `mode=${tmpfsMode(request.root, mount.target)}`,
          ...(mount.size === undefined ? [] : [`size=${mount.size}`]),
        ],
      };
    case 'bind': {
      const { root, path } = bindSource(context, mount.readWrite);
      return bind(path, mount.target, mount.readWrite ? [] : ['ro'], root);
    }
    case 'cache': {
      const seed =
        context.source === undefined || context.source.kind === 'none'
          ? undefined
          : (directory: string) => copySource(request.host, context.source!, directory);
      const held = await holdCache({
        sys: request.host.sys,
        caches: join(request.host.store, 'cache'),
        // Without mounts a cache is moved into the step: there is one at a time.
        mount:
          request.host.tier === 'none' && mount.sharing === 'shared'
            ? { ...mount, sharing: 'locked' }
            : mount,
        seed,
        renewed: request.settings?.resetCacheMounts ? request.host.renewedCaches : undefined,
        signal: request.signal,
      });
      releases.push(() => held.release());
      return bind(
        held.directory,
        mount.target,
        mount.readOnly ? ['ro'] : [],
        join(request.host.store, 'cache'),
      );
    }
  }
}

/** With a root the source is resolved inside it when it is mounted: a step may have left links there. */
function bind(source: string, target: string, extra: string[], root?: string): Mount {
  const options = ['rbind', 'nosuid', 'nodev', ...extra];
  if (root === undefined) return { type: 'bind', source, target, options };
  return { type: 'bind', source: source.slice(root.length) || '/', sourceRoot: root, target, options };
}

/**
 * What a bind mount shows. Context files are copied, so that the step sees exactly what its cache key was made of;
 * stages are mounted, with a throw-away layer on top when they may be written to (M2).
 */
function bindSource(context: MountContext, readWrite: boolean): { root: string; path: string } {
  const { request, source, index, releases } = context;
  const { host } = request;
  if (source === undefined || source.kind === 'none') {
    throw new SlipwayError('invalid', 'this build has no context to mount from', { code: 'NO_CONTEXT' });
  }
  if (source.kind === 'directory') {
    const copy = join(request.scratch, `bind-${index}`);
    copySource(host, source, copy);
    return { root: request.scratch, path: copy };
  }
  const selected = source.sources[0]!;
  const parts = selected.path === '' ? [] : [bufferOf(selected.path).toString('utf8')];
  if (readWrite) {
    const snapshot = host.snapshotter.prepare(source.layers);
    releases.push(() => snapshot.discard());
    return { root: snapshot.root, path: joinRoot(snapshot.root, parts) };
  }
  const view = host.snapshotter.view(source.layers);
  releases.push(() => view.close());
  return { root: view.root, path: joinRoot(view.root, parts) };
}

/** Copies the one selected source to `to`, owners kept for stages. */
function copySource(host: WorkerHost, source: StepSource, to: string): void {
  if (source.kind === 'none') return;
  const selected = source.sources[0]!;
  const view = source.kind === 'layers' ? host.snapshotter.view(source.layers) : undefined;
  try {
    const root = bytesOf(source.kind === 'directory' ? source.path : view!.root);
    copyTree({
      sys: host.sys,
      from: joinRoot(root, selected.path === '' ? [] : [selected.path]),
      to: bytesOf(to),
      source: selected,
      attributes: { owner: undefined, keepOwner: view !== undefined, chmod: undefined },
      keeper: new MetadataKeeper(host.sys),
    });
  } finally {
    view?.close();
  }
}

/** A tmpfs has the mode of the directory that it covers; a new one is for everybody, as the kernel has it. */
function tmpfsMode(root: BytePath, target: string): string {
  const { existing, missing } = resolveInRoot(root, bytesOf(target));
  if (missing.length > 0) return '1777';
  return (lstatSync(bufferOf(joinRoot(root, existing))).mode & 0o7777).toString(8);
}

/** A secret's file lies on a tmpfs of its own: its bytes never reach a disk, unless nothing can be mounted. */
function prepareSecret(
  mount: Extract<RunMount, { type: 'secret' }>,
  context: MountContext,
): { mounts: Mount[]; env: string[] } {
  const { request, releases, index } = context;
  const value = request.secrets.get(mount.id);
  if (value === undefined) {
    if (!mount.required) return { mounts: [], env: [] };
    throw new SlipwayError('not-found', `secret ${mount.id}: not found`, {
      code: 'SECRET_NOT_FOUND',
      subject: mountFlag(index),
      hint: `Pass it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=NAME.`,
    });
  }
  if (mount.env !== undefined && value.includes(0)) {
    throw new SlipwayError('invalid', `secret ${mount.id} holds a NUL byte and cannot be a variable`, {
      code: 'SECRET_NUL',
      subject: mountFlag(index),
      hint: 'Mount it as a file: leave out env=.',
    });
  }
  const env = mount.env === undefined ? [] : [`${mount.env}=${value.toString('utf8')}`];
  if (mount.target === undefined) return { mounts: [], env };
  const { sys } = request.host;
  const directory = join(request.scratch, `secret-${index}`);
  mkdirSync(directory, { mode: 0o700 });
  if (request.host.tier !== 'none') {
    sys.mount('tmpfs', directory, 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, 'mode=0700,size=1m');
    releases.push(() => sys.umount(directory, MNT_DETACH));
  }
  const file = join(directory, 'secret');
  writeFileSync(file, value, { mode: 0o600 });
  // With a single id everything belongs to root, who runs the step.
  const keeper = new MetadataKeeper(sys);
  keeper.setOwner(bytesOf(file), mount);
  keeper.setMode(bytesOf(file), mount.mode);
  return { mounts: [bind(file, mount.target, ['ro', 'noexec'])], env };
}

function mountFlag(index: number): ErrorSubject {
  return { part: 'flag', name: 'mount', index };
}

/** The socket of an agent; without one for the id nothing is mounted, unless it is required (M11). */
async function prepareSsh(
  mount: Extract<RunMount, { type: 'ssh' }>,
  { request, releases, index }: MountContext,
): Promise<Mount[]> {
  const { askAgent: ask, host } = request;
  if (ask === undefined || !request.agents.includes(mount.id)) {
    if (!mount.required) return [];
    throw new SlipwayError('not-found', `unset ssh forward key ${mount.id}`, {
      code: 'SSH_NOT_FOUND',
      subject: mountFlag(index),
      hint: `Pass an agent or a key with --ssh ${mount.id}${mount.id === 'default' ? '' : '=PATH'}.`,
    });
  }
  const directory = join(request.scratch, `ssh-${index}`);
  const socket = await openSshSocket({ host, mount, directory, ask });
  releases.push(() => socket.close());
  return [bind(socket.path, mount.target, ['noexec'])];
}

/** Heredocs with a shebang, executable, where Docker has them (SPEC 1.10). */
function prepareScripts(request: RunMountsRequest): Mount {
  const directory = join(request.scratch, 'pipes');
  mkdirSync(directory, { mode: 0o755 });
  for (const { name, content } of request.operation.scripts) {
    writeFileSync(join(directory, name), content, { mode: 0o755 });
    chmodSync(join(directory, name), 0o755);
  }
  return bind(directory, '/dev/pipes', ['ro']);
}
