import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type BuildEvent, type BuildOptions, type BuildResult, build } from '../../src/index.ts';
import { imageByName, imageDocuments, imageLayers, listImages } from '../../src/store/images.ts';
import { layerDirectory } from '../../src/store/layout.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { describeWith, program } from '../support/need.ts';
import { proxiedRegistry } from './proxied-registry.ts';
import { makeLayer, pushDocument, pushMade } from './remote-images.ts';
import { REGISTRY_NEEDS } from './servers.ts';

describeWith({ needs: [...REGISTRY_NEEDS, program('tar')] }, 'bases of a registry', () => {
  const place = proxiedRegistry();

  interface Done extends BuildResult {
    events: BuildEvent[];
    /** Names of the vertices with what they ended in. */
    vertices: string[];
  }
  const building = async (dockerfile: string, more: Partial<BuildOptions> = {}): Promise<Done> => {
    const events: BuildEvent[] = [];
    const result = await build({
      context: place.folder,
      dockerfile: dockerfile.replaceAll('HOST', place.proxy.host),
      root: place.root,
      env: { PATH: process.env.PATH, HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' },
      runtime: 'embedded',
      pull: 'missing',
      progress: { event: (event) => void events.push(event), close: async () => {} },
      ...more,
    });
    const names = new Map(
      events.flatMap((event) => (event.type === 'announced' ? [[event.vertex, event.name]] : [])),
    );
    const vertices = events.flatMap((event) =>
      event.type === 'ended'
        ? [`${names.get(event.vertex)!.replaceAll(place.proxy.host, 'HOST')}: ${event.outcome}`]
        : [],
    );
    return { ...result, events, vertices };
  };
  const inStore = <T>(look: (store: Store) => T): T => {
    using store = openStore(place.root);
    return look(store);
  };
  const failed = (work: Promise<unknown>): Promise<{ code: string; message: string; hint?: string }> =>
    work.then(
      () => Promise.reject(new Error('it did not fail')),
      ({ code, message, hint }) => ({
        code,
        message: message.replaceAll(place.proxy.host, 'HOST'),
        ...(hint && { hint: hint.replaceAll(place.proxy.host, 'HOST') }),
      }),
    );
  const blobs = (): string[] => place.proxy.log.filter((line) => line.includes('/blobs/'));
  const layerBlobs = (): string[] => blobs().slice(1);

  test('FROM: fetched once, then taken from the store without asking', async () => {
    const { id } = await pushMade(place.client, 'base', [makeLayer({ file: 'base' })], { tag: 'one' });
    const first = await building('FROM HOST/base:one\nWORKDIR /new\nENV X=y\n', { tags: ['result'] });
    expect(first.vertices).toEqual([
      '[internal] load metadata for HOST/base:one: done',
      '[1/2] FROM HOST/base:one: done',
      '[2/2] WORKDIR /new: done',
      'exporting to image: done',
    ]);
    const status = first.events.filter(
      (event) => event.type === 'status' && event.done && event.unit === 'bytes',
    );
    expect(status.map((event) => event.type === 'status' && event.id.replace(/:[0-9a-f]{64}/, ':…'))).toEqual(
      ['sha256:…', 'extracting sha256:…'],
    );
    expect(inStore((store) => imageByName(store, `${place.proxy.host}/base:one`)?.id)).toBe(id);
    const config = inStore((store) => imageDocuments(store, first.imageId)!.parsed.config);
    expect(config.Env?.slice(0, 1)).toEqual(['A=b']);
    place.proxy.log.length = 0;
    const second = await building('FROM HOST/base:one\nWORKDIR /new\nENV X=y\n', { tags: ['result'] });
    expect([second.ran, second.imageId, place.proxy.log]).toEqual([0, first.imageId, []]);
  });

  test('--pull asks, and what has moved is fetched', async () => {
    await pushMade(place.client, 'moving', [makeLayer({ file: '1' })], { tag: 'one' });
    await building('FROM HOST/moving:one\nWORKDIR /new\n');
    place.proxy.log.length = 0;
    const same = await building('FROM HOST/moving:one\nWORKDIR /new\n', { pull: 'always' });
    expect([same.ran, layerBlobs()]).toEqual([0, []]);
    const { id } = await pushMade(place.client, 'moving', [makeLayer({ file: '2' })], { tag: 'one' });
    expect((await building('FROM HOST/moving:one\nWORKDIR /new\n')).ran).toBe(0);
    expect((await building('FROM HOST/moving:one\nWORKDIR /new\n', { pull: 'always' })).ran).toBe(1);
    expect(inStore((store) => imageByName(store, `${place.proxy.host}/moving:one`)?.id)).toBe(id);
    expect(await failed(building('FROM HOST/none:one\n', { pull: 'always' }))).toEqual({
      code: 'IMAGE_NOT_FOUND',
      message: 'HOST/none:one: failed to resolve source metadata for HOST/none:one: HOST/none:one: not found',
      hint: 'There is no image HOST/none:one in the store and none in its registry.',
    });
  });

  test('COPY --from, a mount and a named context; one image is fetched once', async () => {
    const { id } = await pushMade(place.client, 'tools', [makeLayer({ 'bin/tool': 'tool' })], { tag: 'one' });
    const dockerfile = `FROM scratch AS a
COPY --from=HOST/tools:one /bin/tool /a
FROM scratch
COPY --from=HOST/tools:one /bin/tool /b
COPY --from=named /bin/tool /c
COPY --from=a /a /a
`;
    const { imageId } = await building(dockerfile, {
      buildContexts: { named: `docker-image://${place.proxy.host}/tools:one` },
    });
    const files = inStore((store) =>
      imageLayers(store, imageId).flatMap((layer) => readdirSync(layerDirectory(place.root, layer.id))),
    );
    expect(files.toSorted()).toEqual(['a', 'b', 'c']);
    expect(layerBlobs()).toHaveLength(1);
    expect(
      inStore((store) =>
        listImages(store)
          .map((image) => image.id)
          .includes(id),
      ),
    ).toBe(true);
  });

  test('a look-up that fails is told of once, whoever tells of look-ups', async () => {
    for (const internals of [true, false]) {
      const events: BuildEvent[] = [];
      const event = (one: BuildEvent): void => void events.push(one);
      const progress = { internals, event, close: async () => {} };
      await failed(building('FROM HOST/none:one\n', { progress }));
      const names = events.flatMap((one) => (one.type === 'announced' ? [one.name] : []));
      const lookUps = names.filter((name) => name.includes('load metadata'));
      expect(lookUps).toEqual([`[internal] load metadata for ${place.proxy.host}/none:one`]);
      const announced = new Set(events.flatMap((one) => (one.type === 'announced' ? [one.vertex] : [])));
      const ended = events.flatMap((one) => (one.type === 'ended' ? [one.vertex] : []));
      expect(ended.filter((vertex) => !announced.has(vertex))).toEqual([]);
    }
  });

  test('a base whose content no step needs is not fetched', async () => {
    await pushMade(place.client, 'lazy', [makeLayer({ file: 'x' }), makeLayer({ more: 'y' })], {
      tag: 'one',
    });
    const lazy = await building('FROM HOST/lazy:one\nENV X=y\n', { store: false });
    expect([layerBlobs(), inStore(listImages)]).toEqual([[], []]);
    expect(lazy.vertices).toContain('[1/1] FROM HOST/lazy:one: cached');
    const dockerfile = `FROM HOST/lazy:one AS tools
WORKDIR /made
FROM scratch
COPY --from=tools /file /
`;
    await building(dockerfile, { store: false });
    expect(layerBlobs().length).toBeGreaterThan(0);
  });

  test('a base for the platform that FROM names, and one by digest', async () => {
    const layers = [makeLayer({ file: 'arm' })];
    const arm = await pushMade(place.client, 'multi', layers, {
      platform: { os: 'linux', architecture: 'arm64' },
    });
    const amd = await pushMade(place.client, 'multi', [makeLayer({ file: 'amd' })]);
    const { digest } = await pushDocument(place.client, 'multi', {
      tag: 'one',
      document: {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [arm.descriptor, amd.descriptor],
      },
    });
    const { imageId } = await building(`FROM --platform=linux/arm64 HOST/multi@${digest}\n`);
    const { architecture, rootfs } = inStore((store) => imageDocuments(store, imageId)!.parsed);
    expect([architecture, rootfs.diff_ids]).toEqual(['arm64', layers.map(({ diffId }) => diffId)]);
  });

  test('a registry that fails is the place of the error', async () => {
    await pushMade(place.client, 'broken', [makeLayer({ file: 'x' })], { tag: 'one' });
    place.proxy.fault = ({ url }) => (url.includes('/manifests/') ? 'error' : 'none');
    const error = await building('FROM HOST/broken:one\n').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      kind: 'unavailable',
      location: { range: { start: { line: 1, column: 6 } } },
    });
    place.proxy.fault = ({ url }) => (url.includes('/blobs/') ? 'spoil' : 'none');
    expect((await failed(building('FROM HOST/broken:one\nWORKDIR /x\n'))).code).toBe('DIGEST_MISMATCH');
    expect(inStore(listImages)).toEqual([]);
  });
});
