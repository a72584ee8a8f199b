import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SlipwayError } from '../../../src/errors/index.ts';
import { buildManifest, type Document } from '../../../src/image/build-manifest.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { OCI } from '../../../src/image/media-types.ts';
import type { Descriptor } from '../../../src/image/types.ts';
import { defaultHosts } from '../../../src/registry/default-hosts.ts';
import { openRegistryPool } from '../../../src/registry/open-pool.ts';
import { type LayerState, type PushLayer, pushImage } from '../../../src/registry/push/push-image.ts';
import type { RegistryPool } from '../../../src/registry/types.ts';
import { randomOf, testSeed } from '../../robustness/random.ts';
import { suiteFolder } from '../../support/folders.ts';
import { describeWith } from '../../support/need.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../fault-proxy.ts';
import { REGISTRY_NEEDS, testRegistry } from '../servers.ts';
import { PASSWORD, USER } from '../users.ts';

/** On demand more: `npm run faults`. */
const RUNS = Number(process.env.SLIPWAY_TEST_PUSH_RUNS ?? 25);
/** Of those that can meet a push, and nothing as often as all of them. */
const FAULTS: readonly Fault[] = [
  'cut',
  'slow',
  'error',
  'busy',
  'expire',
  'cut-upload',
  'spoil-upload',
  'cut-body',
  'truncate',
];

const seed = testSeed();

describeWith({ needs: REGISTRY_NEEDS }, 'pushImage', () => {
  const folder = suiteFolder('big');
  const registry = testRegistry();
  let proxy: FaultProxy;
  let pool: RegistryPool;
  let count = 0;

  beforeAll(async () => {
    proxy = await startFaultProxy(() => registry.host);
    const credentialFor = async (name: string) =>
      name === proxy.host ? ({ kind: 'password', username: USER, password: PASSWORD } as const) : undefined;
    pool = openRegistryPool({
      hosts: defaultHosts,
      credentials: { credentialFor },
      env: {},
      http: { delayMs: 1, idleMs: 20_000 },
    });
  });
  afterAll(async () => {
    await pool.close();
    await proxy.close();
  });
  beforeEach(() => {
    proxy.fault = () => 'none';
    proxy.gate = () => undefined;
    proxy.auth = false;
    proxy.log.length = 0;
    proxy.uploadBytes = 0;
  });

  /** An image of random bytes; the layers are made when they are asked for. */
  function image(sizes: readonly number[]) {
    const layers = sizes.map((size): PushLayer & { blob: Descriptor } => {
      const bytes = randomBytes(size);
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      const path = join(folder.path, `blob-${count++}`);
      writeFileSync(path, bytes);
      const blob = { mediaType: OCI.layerGzip, digest, size };
      return { diffId: digest, blob, make: async () => ({ descriptor: blob, path }) };
    });
    const bytes = Buffer.from(
      JSON.stringify({
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
        os: 'linux',
        architecture: 'amd64',
        config: {},
      }),
    );
    const config: Document = { bytes, digest: digestOf(bytes) };
    const documents = (descriptors: readonly Descriptor[]) => ({
      config,
      manifest: {
        ...buildManifest({ digest: config.digest, size: bytes.length }, descriptors),
        mediaType: OCI.manifest,
      },
    });
    return {
      layers,
      config,
      documents,
      blobs: [
        { mediaType: OCI.config, digest: config.digest, size: bytes.length },
        ...layers.map(({ blob }) => blob),
      ],
    };
  }

  /** Makes the layers' blobs piece by piece, as they are compressed; `before` is waited for before each. */
  function slowly<Content extends ReturnType<typeof image>>(
    content: Content,
    { known = true, before }: { known?: boolean; before?: (bytes: number) => Promise<unknown> } = {},
  ): Content {
    for (const layer of content.layers) {
      const whole = layer.make;
      if (known) layer.known = layer.blob;
      layer.make = async ({ grown, signal } = {}) => {
        const { descriptor, path } = await whole();
        const bytes = readFileSync(path);
        const growing = `${path}-growing`;
        writeFileSync(growing, '');
        for (let at = 0; at < bytes.length; ) {
          await (before?.(at) ?? turn());
          signal?.throwIfAborted();
          const piece = bytes.subarray(at, at + 300_000);
          appendFileSync(growing, piece);
          at += piece.length;
          grown?.(growing, at);
        }
        return { descriptor, path: growing, release: () => rmSync(growing) };
      };
    }
    return content;
  }

  const requests = (method: string): string[] => proxy.log.filter((line) => line.startsWith(`${method} `));

  async function push(
    repository: string,
    content: ReturnType<typeof image>,
    more: { chunkBytes?: number } = {},
  ) {
    const states: string[] = [];
    const [endpoint] = await pool.endpointsFor(proxy.host, repository, 'push');
    const onLayer = (index: number, state: LayerState): void => {
      if (state.state !== 'sent') states.push(`${index} ${state.state}`);
    };
    const manifest = await pushImage({
      ...content,
      endpoint: endpoint!,
      tags: ['1'],
      delayMs: 1,
      onLayer,
      ...more,
    });
    return { manifest, states };
  }

  /** Who asks where an upload stands waits until the registry is done with what was cut off: else it may say "nothing". */
  const onceWritten =
    (repository: string): FaultProxy['gate'] =>
    ({ method, url }) =>
      method === 'GET' && url.includes('/blobs/uploads/')
        ? expect
            .poll(() => registry.log.some((line) => line.startsWith(`PATCH /v2/${repository}/`)))
            .toBe(true)
        : undefined;

  /** What the registry itself says, past the proxy. */
  async function whatIsThere(repository: string, blobs: readonly Descriptor[]): Promise<boolean> {
    const manifest = await fetch(`${registry.url}/v2/${repository}/manifests/1`, {
      headers: { accept: OCI.manifest },
    });
    if (manifest.status !== 200) return false;
    for (const { digest, size } of blobs) {
      const blob = await fetch(`${registry.url}/v2/${repository}/blobs/${digest}`);
      const bytes = Buffer.from(await blob.arrayBuffer());
      expect([bytes.length, digestOf(bytes)]).toEqual([size, digest]);
    }
    return true;
  }

  test('small blobs go in one request, larger ones so that they can be gone on with', async () => {
    const content = image([1000, 3 << 20]);
    const { states } = await push('flow/one', content);
    expect(states.slice(0, 2)).toEqual(['0 preparing', '1 preparing']);
    expect(states.filter((state) => /pushed$/.test(state)).sort()).toEqual(['0 pushed', '1 pushed']);
    const methods = proxy.log.map((line) => line.split(' ')[0]);
    const counted = Object.fromEntries(
      ['HEAD', 'POST', 'PATCH', 'PUT'].map((method) => [
        method,
        methods.filter((one) => one === method).length,
      ]),
    );
    expect(counted).toEqual({ HEAD: 3, POST: 3, PATCH: 1, PUT: 4 });
    expect(await whatIsThere('flow/one', content.blobs)).toBe(true);
  });

  test('an upload that breaks off goes on where it was', async () => {
    const content = image([4 << 20]);
    let cut = false;
    proxy.fault = ({ method }) => {
      if (method !== 'PATCH' || cut) return 'none';
      cut = true;
      return 'cut-upload';
    };
    proxy.gate = onceWritten('flow/resumed');
    await push('flow/resumed', content);
    expect(proxy.log.filter((line) => line.startsWith('PATCH'))).toHaveLength(2);
    expect(proxy.log.some((line) => line.startsWith('GET /v2/flow/resumed/blobs/uploads/'))).toBe(true);
    // Half, and what the registry had not written of it; never all of it twice.
    expect(proxy.uploadBytes).toBeLessThan(2 * (4 << 20));
    expect(await whatIsThere('flow/resumed', content.blobs)).toBe(true);
  });

  test('bytes that change on their way are sent again', async () => {
    const content = image([2 << 20, 1000]);
    const spoiled = new Set<string>();
    proxy.fault = ({ method }) => {
      if ((method !== 'PATCH' && method !== 'PUT') || spoiled.has(method) || proxy.uploadBytes === 0)
        return 'none';
      spoiled.add(method);
      return 'spoil-upload';
    };
    await push('flow/spoiled', content);
    expect(await whatIsThere('flow/spoiled', content.blobs)).toBe(true);
  });

  test('a server that takes no large bodies gets chunks', async () => {
    const content = image([9 << 20]);
    let refused = 0;
    proxy.fault = ({ method }) => (method === 'PATCH' && refused++ === 0 ? 'too-large' : 'none');
    await push('flow/chunks', content);
    expect(proxy.log.filter((line) => line.startsWith('PATCH'))).toHaveLength(3);
    expect(await whatIsThere('flow/chunks', content.blobs)).toBe(true);
  });

  test('nothing names an image of which a blob failed', async () => {
    const content = image([1000, 2000]);
    const [, second] = content.layers;
    second!.make = async () => {
      throw new SlipwayError('corrupt', 'damaged', { code: 'LAYER_CORRUPT' });
    };
    await expect(push('flow/failed', content)).rejects.toMatchObject({ code: 'LAYER_CORRUPT' });
    expect(proxy.log.filter((line) => line.includes('/manifests/'))).toEqual([]);
  });

  test('a blob is sent while it is made', async () => {
    const content = slowly(image([4 << 20]), {
      // Not before the registry has nearly all of what is there.
      before: (bytes) =>
        bytes <= 1 << 20 ? turn() : expect.poll(() => proxy.uploadBytes).toBeGreaterThan(bytes - 300_000),
    });
    const { states } = await push('ahead/sent', content);
    expect(states).toEqual(['0 preparing', '0 pushing', '0 pushing', '0 pushed']);
    expect([requests('POST'), requests('PATCH')].map((lines) => lines.length)).toEqual([2, 1]);
    expect(await whatIsThere('ahead/sent', content.blobs)).toBe(true);
    expect(readdirSync(folder.path).filter((name) => name.endsWith('-growing'))).toEqual([]);
  });

  test('one that is there after all is given up', async () => {
    const content = image([4 << 20]);
    await push('ahead/there', content);
    proxy.uploadBytes = 0;
    const before = (bytes: number) =>
      bytes <= 2 << 20 ? turn() : expect.poll(() => proxy.uploadBytes).toBeGreaterThan(1 << 20);
    const { states } = await push('ahead/there', slowly(content, { known: false, before }));
    expect(states.at(-1)).toBe('0 exists');
    expect(requests('DELETE')).toHaveLength(1);
    expect(await whatIsThere('ahead/there', content.blobs)).toBe(true);
  });

  test('one that fails while it is made is given up', async () => {
    const content = slowly(image([4 << 20]), {
      before: async (bytes) => {
        if (bytes <= 2 << 20) return;
        await expect.poll(() => proxy.uploadBytes).toBeGreaterThan(1 << 20);
        throw new SlipwayError('corrupt', 'damaged', { code: 'LAYER_CORRUPT' });
      },
    });
    await expect(push('ahead/failed', content)).rejects.toMatchObject({ code: 'LAYER_CORRUPT' });
    expect(requests('DELETE')).toHaveLength(1);
    expect(proxy.log.filter((line) => line.includes('/manifests/'))).toEqual([]);
  });

  test('one that has broken off and then fails while it is made is given up', async () => {
    const content = slowly(image([4 << 20]), {
      before: async (bytes) => {
        if (bytes < 3 << 20) return void (await turn());
        await expect.poll(() => cut).toBe(true);
        // The connection is gone, and whoever sends knows it.
        await sleep(100);
        throw new SlipwayError('corrupt', 'damaged', { code: 'LAYER_CORRUPT' });
      },
    });
    let cut = false;
    proxy.fault = ({ method }) => {
      if (method !== 'PATCH') return 'none';
      cut = true;
      return 'cut-upload';
    };
    await expect(push('ahead/cut-failed', content)).rejects.toMatchObject({ code: 'LAYER_CORRUPT' });
    expect([requests('PATCH').length, requests('DELETE').length]).toEqual([1, 1]);
    expect(proxy.log.filter((line) => line.includes('/manifests/'))).toEqual([]);
  });

  test('one that is too large for the server as it is made goes in chunks', async () => {
    const content = slowly(image([9 << 20]));
    let refused = 0;
    proxy.fault = ({ method }) => (method === 'PATCH' && refused++ === 0 ? 'too-large' : 'none');
    await push('ahead/chunks', content);
    expect(requests('PATCH')).toHaveLength(3);
    expect(await whatIsThere('ahead/chunks', content.blobs)).toBe(true);
  });

  test('one that the registry will not have ends the making', async () => {
    let made = 0;
    const content = slowly(image([4 << 20, 9 << 20]), {
      before: async (bytes) => {
        made = Math.max(made, bytes);
        if (bytes >= 8 << 20) await expect.poll(() => denied).toBe(true);
        await turn();
      },
    });
    let denied = false;
    proxy.fault = ({ method }) => {
      if (method !== 'POST') return 'none';
      denied = true;
      return 'denied';
    };
    await expect(push('ahead/denied', content)).rejects.toMatchObject({ kind: 'denied' });
    expect(made).toBeLessThan(9 << 20);
  });

  test.each<[Fault, { chunkBytes?: number }, number]>([
    ['none', { chunkBytes: 1 << 20 }, 5],
    ['too-large', {}, 2],
    ['length-required', {}, 2],
    ['cut-upload', {}, 2],
    ['cut-upload', { chunkBytes: 1 << 20 }, 6],
  ])('sent while it is made, and %s with %o', async (fault, chunks, patches) => {
    const repository = `ahead/${fault}-${chunks.chunkBytes ?? 0}`;
    let met = false;
    proxy.fault = ({ method }) => {
      if (method !== 'PATCH' || met) return 'none';
      met = true;
      return fault;
    };
    if (fault === 'cut-upload') proxy.gate = onceWritten(repository);
    const asked = (): boolean =>
      proxy.log.some((line) => line.startsWith(`GET /v2/${repository}/blobs/uploads/`));
    let whileMade = false;
    const before = async (): Promise<void> => {
      whileMade ||= asked();
      await turn();
    };
    const content = slowly(image([5 << 20]), { before });
    await push(repository, content, chunks);
    expect(requests('PATCH')).toHaveLength(patches);
    expect([asked(), whileMade]).toEqual([fault === 'cut-upload' || fault === 'too-large', false]);
    expect(await whatIsThere(repository, content.blobs)).toBe(true);
  });

  test(`${RUNS} runs with faults at random, seed ${seed}`, async () => {
    const random = randomOf(seed);
    let failures = 0;
    for (let run = 0; run < RUNS; run++) {
      const repository = `random/r${run}`;
      const content = image(
        Array.from({ length: 1 + Math.floor(random() * 3) }, () => 1 + Math.floor(random() ** 3 * (3 << 20))),
      );
      if (random() < 0.6) slowly(content, { known: random() < 0.5 });
      const share = random() * 0.4;
      proxy.auth = random() < 0.5;
      proxy.fault = () => (random() < share ? FAULTS[Math.floor(random() * FAULTS.length)]! : 'none');
      const say = `run ${run}`;
      const chunks = random() < 0.3 ? { chunkBytes: 1 << 19 } : {};
      try {
        await push(repository, content, chunks);
        expect(await whatIsThere(repository, content.blobs), say).toBe(true);
      } catch (error) {
        failures++;
        expect(error, say).toBeInstanceOf(SlipwayError);
        expect((error as SlipwayError).kind, `${say}: ${(error as Error).message}`).not.toBe('internal');
        expect((error as SlipwayError).message, say).not.toMatch(/correct horse|token-\d/);
        // Nothing is left in the way of the next attempt.
        proxy.fault = () => 'none';
        await push(repository, content);
        expect(await whatIsThere(repository, content.blobs), say).toBe(true);
      }
    }
    expect(failures).toBeLessThan(RUNS);
    expect(proxy.leaked).toEqual([]);
  });
});
