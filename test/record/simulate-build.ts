import { hash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeCache } from '../../src/cache/store-cache.ts';
import { openContext } from '../../src/context/open-context.ts';
import { makePlan } from '../../src/engine/make-plan.ts';
import { stepPreparer } from '../../src/engine/prepare-step.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import type { ExecuteRequest, Executor } from '../../src/execute/executor.ts';
import { localPlatform } from '../../src/image/platform.ts';
import { BuildRecorder } from '../../src/record/recorder.ts';
import { solve } from '../../src/solve/solve.ts';
import { imageByName, imageDocuments } from '../../src/store/images.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { openStore } from '../../src/store/store.ts';

export interface SimulatedBuild {
  root: string;
  context: string;
  dockerfile: string;
  buildArgs?: Record<string, string>;
  network?: 'none' | 'host' | 'default';
  noCache?: boolean | string[];
  epoch?: string | undefined;
  /** Steps whose command holds this fail. */
  failing?: string;
}

/**
 * Builds without a kernel, for what is known before a step runs: everything is real but the executor, whose layers
 * depend on the step and its files. Steps that read other stages cannot be had: there are no files in layers. Gives
 * the build's id.
 */
export async function simulateBuild(input: SimulatedBuild): Promise<string> {
  using store = openStore(input.root);
  const platform = localPlatform();
  const subject = { file: '(text)', context: input.context };
  const recorder = new BuildRecorder({ root: input.root, subject, tags: [] });
  const { context, dockerfile } = await openContext({
    argument: input.context,
    file: '-',
    cwd: input.root,
    stdin: [Buffer.from(input.dockerfile)] as unknown as AsyncIterable<Buffer>,
    temporaryDirectory: tmpdir(),
    indexDirectory: join(input.root, 'contexts'),
    readXattrs: () => undefined,
  });
  const lease = startLease(store);
  let error: unknown;
  try {
    const buildArgs = new Map(Object.entries(input.buildArgs ?? {}));
    if (input.epoch !== undefined) buildArgs.set('SOURCE_DATE_EPOCH', input.epoch);
    const plan = await makePlan(store, {
      file: 'Dockerfile',
      text: dockerfile.content.toString(),
      target: undefined,
      buildArgs,
      labels: new Map(),
      platform,
      buildPlatform: platform,
      severalPlatforms: false,
      network: input.network ?? 'default',
      noCache: input.noCache ?? false,
      allow: [],
      namedContexts: new Map(),
      resolveContext: () => Promise.reject(new Error('there are no named contexts')),
      timeOf: async () => undefined,
      asksRegistries: false,
      resolveImage: async (reference) => {
        const image = imageByName(store, reference);
        const config = image && imageDocuments(store, image.id)?.parsed;
        return config && { imageId: image.id, config, diffIds: config.rootfs.diff_ids };
      },
      ignoreSyntax: true,
    });
    recorder.plan(plan);
    const signal = new AbortController().signal;
    await solve({
      plan,
      cache: storeCache({ store, buildId: recorder.id, lease: () => lease }),
      prepare: stepPreparer({
        context: async () => context,
        loading: (_, select) => select(),
        fetched: () => Promise.reject(new Error('nothing is fetched')),
        remembered: { get: () => undefined, put: () => {} },
        treeOf: () => Promise.reject(new Error('a simulated layer has no files')),
        contents: { get: () => undefined, put: () => {} },
        platformOf: () => platform,
        epoch: plan.epoch,
        secretsOf: async () => [],
        agentsOf: async () => [],
        settings: {},
        signal,
      }),
      executor: async () => executor(input.failing),
      onEvent: (event) => recorder.event(event),
      observer: recorder,
      signal,
      jobs: 1,
    });
  } catch (failed) {
    error = failed;
  }
  context.close();
  await recorder.finish(error === undefined ? {} : { error });
  endLease(store, lease);
  if (error !== undefined && input.failing === undefined) throw error;
  return recorder.id;
}

function executor(failing: string | undefined): Executor {
  const execute = async ({ step }: ExecuteRequest) => {
    const text = JSON.stringify(step);
    if (failing !== undefined && text.includes(failing))
      throw new SlipwayError('step-failed', 'exit code: 7', { code: 'STEP_FAILED', exitCode: 7 });
    const diffId = `sha256:${hash('sha256', text, 'hex')}`;
    return { digest: Promise.resolve({ diffId, tarSize: 1, size: 1, packer: 1, recipe: {} }) };
  };
  return { execute, sync: async () => {} };
}
