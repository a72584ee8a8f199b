import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type PullEvent, type PulledImage, type PullOptions, pull } from '../../src/engine/pull/pull.ts';
import { digestOf } from '../../src/image/digest.ts';
import { DOCKER, OCI } from '../../src/image/media-types.ts';
import type { RegistryClient } from '../../src/registry/types.ts';
import { imageDocuments, imageLayers, listImages } from '../../src/store/images.ts';
import { listLayers } from '../../src/store/layers.ts';
import { blobPath, layerDirectory } from '../../src/store/layout.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { describeWith, program } from '../support/need.ts';
import { type WebServer, webServer } from '../support/web-server.ts';
import type { Fault } from './fault-proxy.ts';
import { proxiedRegistry } from './proxied-registry.ts';
import { makeLayer, pushDocument, pushMade } from './remote-images.ts';
import { REGISTRY_NEEDS } from './servers.ts';

/** Takes what is pushed to it, so that the web server of the tests gives it out. */
function servedBy(web: WebServer, repository: string): RegistryClient {
  const at = (path: string): string => `/v2/${repository}/${path}`;
  const taker: Partial<RegistryClient> = {
    headBlob: async () => undefined,
    startUpload: async () => ({ location: '', offset: 0 }),
    putUpload: async (_, digest, body) => {
      web.answers.set(at(`blobs/${digest}`), (_, response) => response.end(body));
    },
    putManifest: async (_, reference, { mediaType, bytes }) => {
      web.answers.set(at(`manifests/${reference}`), (_, response) =>
        response.writeHead(200, { 'content-type': mediaType }).end(bytes),
      );
      return digestOf(bytes);
    },
  };
  return taker as RegistryClient;
}

describeWith({ needs: [...REGISTRY_NEEDS, program('tar')] }, 'pulling an image', () => {
  const web = webServer();
  const place = proxiedRegistry();

  const env = { PATH: process.env.PATH, HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' };
  const pulling = (name: string, more: Partial<PullOptions> = {}): Promise<PulledImage[]> =>
    pull({ reference: `${place.proxy.host}/${name}`, root: place.root, env, runtime: 'embedded', ...more });
  const inStore = <T>(look: (store: Store) => T): T => {
    using store = openStore(place.root);
    return look(store);
  };
  const content = (id: string): string[] =>
    inStore((store) =>
      imageLayers(store, id).map(({ id: layer }) =>
        readdirSync(layerDirectory(place.root, layer), { recursive: true }).sort().join(' '),
      ),
    );
  const faults = (...list: [pattern: RegExp, fault: Fault][]) => {
    const left = [...list];
    place.proxy.fault = ({ method, url }) => {
      const index = left.findIndex(([pattern]) => pattern.test(`${method} ${url}`));
      return index < 0 ? 'none' : left.splice(index, 1)[0]![1];
    };
  };
  /** An error leaves nothing: no image, no layer, no file. */
  const expectEmpty = (): void => {
    expect(inStore((store) => [listImages(store), listLayers(store)])).toEqual([[], []]);
    expect(readdirSync(join(place.root, 'tmp'))).toEqual([]);
    expect(readdirSync(join(place.root, 'layers'))).toEqual([]);
  };
  const failed = (work: Promise<unknown>): Promise<{ kind: string; code: string; message: string }> =>
    work.then(
      () => Promise.reject(new Error('it did not fail')),
      ({ kind, code, message }) => ({ kind, code, message: message.replaceAll(place.proxy.host, 'HOST') }),
    );

  test.each([
    ['OCI', OCI],
    ['schema 2', DOCKER],
  ] as const)('%s: layers in every form, kept as they came', async (_, family) => {
    const forms = ['gzip', 'zstd', 'plain', 'members'] as const;
    const repository = `forms/${family === OCI ? 'oci' : 'docker'}`;
    const layers = forms.map((form) => makeLayer({ [`dir/${form}`]: form.repeat(1000) }, form, family));
    const { id, descriptor } = await pushMade(place.client, repository, layers, { tag: 'one', family });
    const [pulled] = await pulling(`${repository}:one`);
    expect(pulled).toEqual({
      reference: `${place.proxy.host}/${repository}:one`,
      digest: descriptor.digest,
      imageId: id,
      updated: true,
    });
    expect(content(id)).toEqual(forms.map((form) => `dir dir/${form}`));
    const documents = inStore((store) => imageDocuments(store, id)!);
    expect([digestOf(documents.config), digestOf(documents.manifest!)]).toEqual([id, descriptor.digest]);
    const kept = inStore((store) => imageLayers(store, id).map(({ origin }) => origin!.digest));
    expect(kept).toEqual(layers.map(({ blob }) => digestOf(blob)));
    for (const { blob } of layers) expect(readFileSync(blobPath(place.root, digestOf(blob)))).toEqual(blob);
  });

  test('what is here is not fetched, not twice in one image either', async () => {
    const [shared, own] = [makeLayer({ shared: 'x'.repeat(5000) }), makeLayer({ own: 'y'.repeat(5000) })];
    await pushMade(place.client, 'twice', [shared], { tag: 'first' });
    const { id } = await pushMade(place.client, 'twice', [shared, own, shared], { tag: 'second' });
    await pulling('twice:first');
    place.proxy.log.length = 0;
    const events: PullEvent[] = [];
    await pulling('twice:second', { onEvent: (event) => events.push(event) });
    expect(content(id)).toEqual(['shared', 'own', 'shared']);
    expect(place.proxy.log.filter((line) => line.includes(digestOf(shared.blob)))).toEqual([]);
    expect(place.proxy.log.filter((line) => line.includes(digestOf(own.blob)))).toHaveLength(1);
    place.proxy.log.length = 0;
    expect(await pulling('twice:second')).toMatchObject([{ imageId: id, updated: false }]);
    expect(place.proxy.log.filter((line) => line.includes('/blobs/'))).toEqual([`GET /v2/twice/blobs/${id}`]);
  });

  test('directories that a layer has no entry for are those of the layer below', async () => {
    const below = makeLayer({ 'etc/one': '1' });
    const above = makeLayer({ 'etc/two': '2' });
    const { id } = await pushMade(place.client, 'implicit', [below, above], { tag: 'one' });
    // The lower layer comes last: the other one has long been read by then.
    faults([new RegExp(digestOf(below.blob)), 'error'], [new RegExp(digestOf(below.blob)), 'error']);
    await pulling('implicit:one');
    expect(content(id)).toEqual(['etc etc/one', 'etc etc/two']);
  });

  test('a connection that breaks is taken up where it broke', async () => {
    const layer = makeLayer({ big: Buffer.from(Array.from({ length: 3e6 }, (_, i) => (i * i * 31) >> 5)) });
    const { id } = await pushMade(place.client, 'resume', [layer], { tag: 'one' });
    const blob = new RegExp(`GET .*${digestOf(layer.blob)}`);
    faults([blob, 'cut-body'], [blob, 'cut'], [blob, 'truncate'], [blob, 'slow']);
    await pulling('resume:one');
    expect(content(id)).toEqual(['big']);
    // Half of it came twice at most, however often it broke.
    expect(place.proxy.blobBytes).toBeLessThan(layer.blob.length * 1.6);
  });

  test('a spoilt blob is fetched again, and never used', async () => {
    const layer = makeLayer({ file: 'content '.repeat(10_000) });
    const { id } = await pushMade(place.client, 'spoilt', [layer], { tag: 'one' });
    const blob = new RegExp(`GET .*${digestOf(layer.blob)}`);
    faults([blob, 'spoil'], [blob, 'spoil']);
    expect(await failed(pulling('spoilt:one'))).toMatchObject({ kind: 'corrupt', code: 'DIGEST_MISMATCH' });
    expectEmpty();
    faults([blob, 'spoil']);
    await pulling('spoilt:one');
    expect(content(id)).toEqual(['file']);
  });

  test('indexes: nested, with variants, attestations and artifacts', async () => {
    const layer = makeLayer({ file: '1' });
    const platforms = {
      v6: { os: 'linux', architecture: 'arm', variant: 'v6' },
      v7: { os: 'linux', architecture: 'arm', variant: 'v7' },
      amd64: { os: 'linux', architecture: 'amd64' },
      s390x: { os: 'linux', architecture: 's390x' },
    };
    const [v6, v7, amd64, s390x] = await Promise.all(
      Object.values(platforms).map((platform) => pushMade(place.client, 'index', [layer], { platform })),
    );
    const unknown = { os: 'unknown', architecture: 'unknown' };
    const inner = await pushDocument(place.client, 'index', {
      document: { schemaVersion: 2, mediaType: OCI.index, manifests: [v6!.descriptor, v7!.descriptor] },
    });
    const { platform: _, ...bare } = s390x!.descriptor;
    const index = await pushDocument(place.client, 'index', {
      tag: 'one',
      document: {
        schemaVersion: 2,
        mediaType: DOCKER.index,
        manifests: [
          { ...bare, platform: unknown },
          { ...bare, annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } },
          { ...bare, artifactType: 'application/vnd.example' },
          inner,
          amd64!.descriptor,
        ],
      },
    });
    const idOf = async (architecture: string, variant?: string): Promise<string> => {
      const platform = { os: 'linux', architecture, ...(variant && { variant }) };
      const [pulled] = await pulling('index:one', { platform });
      expect(pulled!.digest).toBe(index.digest);
      return pulled!.imageId;
    };
    expect(await idOf('amd64')).toBe(amd64!.id);
    expect(await idOf('arm', 'v7')).toBe(v7!.id);
    expect(await idOf('arm', 'v6')).toBe(v6!.id);
    expect(await idOf('arm64')).toBe(v7!.id);
    expect(await failed(pulling('index:one', { platform: platforms.s390x }))).toEqual({
      kind: 'not-found',
      code: 'PLATFORM_NOT_FOUND',
      message: 'no matching manifest for linux/s390x in the manifest list entries',
    });
  });

  test('by digest the image has no tag', async () => {
    const { id, descriptor } = await pushMade(place.client, 'digest', [makeLayer({ a: '1' })], {
      tag: 'one',
    });
    await pulling(`digest@${descriptor.digest}`);
    expect(
      inStore((store) => listImages(store).map(({ id, tags, digests }) => ({ id, tags, digests }))),
    ).toEqual([{ id, tags: [], digests: [`${place.proxy.host}/digest@${descriptor.digest}`] }]);
  });

  test('all tags of a repository', async () => {
    const layer = makeLayer({ a: '1' });
    for (const tag of ['one', 'two'])
      await pushMade(place.client, 'all/tags', [layer], { tag, config: { User: tag } });
    const pulled = await pulling('all/tags', { allTags: true });
    expect(pulled.map(({ reference }) => reference).toSorted()).toEqual(
      ['one', 'two'].map((tag) => `${place.proxy.host}/all/tags:${tag}`),
    );
    expect(await failed(pulling('all/tags:one', { allTags: true }))).toMatchObject({
      kind: 'usage',
      message: "tag can't be used with --all-tags/-a",
    });
  });

  test('layers that are not in the registry come from where they say', async () => {
    const layer = makeLayer({ foreign: 'x'.repeat(100) }, 'gzip', DOCKER);
    web.answers.set('/layer', (_, response) => response.end(layer.blob));
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const urls = [`${web.url}/gone`, `${web.url}/layer`];
    // A registry of Docker's takes such layers only where its configuration names the hosts.
    const { id } = await pushMade(servedBy(web, 'foreign'), 'foreign', [{ ...layer, mediaType, urls }], {
      tag: 'one',
      family: DOCKER,
    });
    const [pulled] = await pull({ reference: `${new URL(web.url).host}/foreign:one`, root: place.root, env });
    expect(pulled!.imageId).toBe(id);
    expect(content(id)).toEqual(['foreign']);
  });

  test('what is no image is said to be none', async () => {
    const config = { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: digestOf('{}'), size: 2 };
    await place.client.putUpload(
      await place.client.startUpload('artifact'),
      digestOf('{}'),
      Buffer.from('{}'),
    );
    await pushDocument(place.client, 'artifact', {
      tag: 'chart',
      document: { schemaVersion: 2, mediaType: OCI.manifest, config, layers: [] },
    });
    expect(await failed(pulling('artifact:chart'))).toEqual({
      kind: 'unsupported',
      code: 'NOT_AN_IMAGE',
      message:
        'HOST/artifact:chart is no image: unsupported media type application/vnd.cncf.helm.config.v1+json',
    });
    const old = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    web.answers.set('/v2/old/manifests/one', (_, response) =>
      response.writeHead(200, { 'content-type': old }).end('{"schemaVersion":1,"name":"old","tag":"one"}'),
    );
    const reference = `${new URL(web.url).host}/old:one`;
    expect(await failed(pull({ reference, root: place.root, env }))).toMatchObject({
      code: 'MANIFEST_SCHEMA_1',
    });
    expect(await failed(pulling('none:one'))).toEqual({
      kind: 'not-found',
      code: 'REGISTRY_MANIFEST_UNKNOWN',
      message: 'manifest for HOST/none:one not found: manifest unknown: manifest unknown',
    });
    expect(existsSync(join(place.root, 'layers')) ? readdirSync(join(place.root, 'layers')) : []).toEqual([]);
  });

  test('a layer that is none, and one with another content than the configuration says', async () => {
    const layer = makeLayer({ a: '1' });
    const bad = { ...layer, blob: Buffer.from('no archive at all') };
    await pushMade(place.client, 'bad', [makeLayer({ b: '2' }), bad], { tag: 'one' });
    expect((await failed(pulling('bad:one'))).kind).toBe('invalid');
    expectEmpty();
    await pushMade(place.client, 'bad', [{ ...layer, diffId: digestOf('other') }], { tag: 'two' });
    expect(await failed(pulling('bad:two'))).toMatchObject({ kind: 'corrupt', code: 'DIGEST_MISMATCH' });
    expectEmpty();
  });

  test('canceled in the middle it leaves nothing', async () => {
    const layers = [1, 2, 3, 4].map((n) => makeLayer({ [`f${n}`]: `${n}`.repeat(2_000_000) }, 'plain'));
    await pushMade(place.client, 'cancel', layers, { tag: 'one' });
    place.proxy.fault = () => 'slow';
    const stop = new AbortController();
    const onEvent = (event: PullEvent): void => {
      if (event.type === 'layer' && event.state === 'downloading' && event.current! > 1e6) stop.abort();
    };
    expect((await failed(pulling('cancel:one', { signal: stop.signal, onEvent }))).kind).toBe('canceled');
    expectEmpty();
  });
});
