import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { CACHE_CONFIG_TYPE, type CacheDocument } from '../../../src/cache/travel/cache-document.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { OCI } from '../../../src/image/media-types.ts';
import { parseManifest } from '../../../src/image/parse-manifest.ts';
import type { ImageManifest } from '../../../src/image/types.ts';
import { imageByName } from '../../../src/store/images.ts';
import { openStore } from '../../../src/store/store.ts';
import { proxiedRegistry } from '../../registry/proxied-registry.ts';
import { type MadeImage, pushDocument } from '../../registry/remote-images.ts';
import { REGISTRY_NEEDS } from '../../registry/servers.ts';
import { describeWith, program } from '../../support/need.ts';
import { runSlipway } from '../../support/slipway.ts';
import { machines } from './machines.ts';

const execute = promisify(execFile);

/** Two stages: what the first makes is large but for the file that the second takes. */
const DOCKERFILE = `FROM HOST/base AS build
RUN mkdir /out && head -c 300000 /dev/urandom > /junk
COPY source /out/source
RUN head -c 200000 /dev/urandom > /more && cat /out/source > /out/tool
FROM HOST/base
COPY asset /asset
COPY --from=build /out/tool /tool
RUN cat /asset /tool > /both
`;

describeWith({ needs: [...REGISTRY_NEEDS, program('skopeo')] }, 'a cache that travels', () => {
  const place = proxiedRegistry();
  const { pushBase, context, build, root } = machines(place);
  const FILES = { Dockerfile: DOCKERFILE, source: 'source\n', asset: 'asset\n' };
  let base: MadeImage;

  beforeAll(async () => {
    base = await pushBase();
  });

  const registry = (name: string) => ({ type: 'registry', ref: `${place.proxy.host}/${name}` }) as const;
  const manifestOf = async (repository: string): Promise<ImageManifest> =>
    parseManifest((await place.client.getManifest(repository, 'latest'))!.bytes);
  const documentOf = async (repository: string): Promise<CacheDocument> => {
    const { config } = await manifestOf(repository);
    return JSON.parse((await place.client.readBlob(repository, config)).toString()) as CacheDocument;
  };
  /** Blobs that were fetched since the log was last emptied, by digest. */
  const fetched = (repository: string): string[] =>
    place.proxy.log
      .filter((line) => line.startsWith(`GET /v2/${repository}/blobs/`))
      .map((line) => line.split('/blobs/')[1]!)
      .sort();

  test('two machines and a registry: the second runs nothing and moves what its result needs', async () => {
    const path = context(FILES);
    const first = await build('one', path, { cacheTo: [{ ...registry('app'), mode: 'max' }] });
    expect(first.ran).toBe(6);
    const manifest = await manifestOf('app');
    const { layers, steps } = await documentOf('app');
    expect([manifest.mediaType, manifest.config.mediaType, layers.length, steps.length]).toEqual([
      OCI.manifest,
      CACHE_CONFIG_TYPE,
      6,
      6,
    ]);
    place.proxy.log.length = 0;
    place.proxy.blobBytes = 0;
    const second = await build('two', path, { cacheFrom: [registry('app')] });
    expect([second.ran, second.reused, second.imageId]).toEqual([0, 6, first.imageId]);
    const result = inStore('two', (store) => imageByName(store, 'docker.io/library/result:latest')!.id);
    expect(result).toBe(first.imageId);
    // The base, the three layers of the result, and documents: nothing of the stage before it.
    const needed = manifest.layers.filter((_, index) => ownLayers('two', result).includes(layers[index]!));
    expect(fetched('app')).toEqual([manifest.config, ...needed].map(({ digest }) => digest).sort());
    expect(needed).toHaveLength(3);
    const baseBytes = [base.layers[0]!.blob.length, 0];
    const documents = await place.client.getManifest('base', 'latest');
    const baseConfig = parseManifest(documents!.bytes).config.size;
    const sizes = [manifest.config, ...needed].map(({ size }) => size);
    expect(place.proxy.blobBytes).toBe(
      [...baseBytes, baseConfig, ...sizes].reduce((sum, size) => sum + size, 0),
    );
    // What has come is the store's own now.
    place.proxy.log.length = 0;
    const third = await build('two', path, { target: 'build', cacheFrom: [registry('app')] });
    expect([third.ran, fetched('app').length]).toEqual([0, 4]);
    const again = await build('two', path, { target: 'build' });
    expect(again.ran).toBe(0);
  });

  test('several platforms: what they share ran once, and the second machine runs nothing for any of them', async () => {
    const path = context({
      Dockerfile: `FROM --platform=$BUILDPLATFORM HOST/base AS shared
RUN echo shared > /shared
FROM shared AS cross
ARG TARGETARCH
RUN echo $TARGETARCH > /arch
FROM scratch
COPY --from=shared /shared /shared
COPY --from=cross /arch /arch
`,
    });
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const first = await build('both', path, {
      platforms,
      cacheTo: [{ ...registry('several'), mode: 'max' }],
    });
    // The shared step and its copy once, the others for each platform.
    expect(first.ran).toBe(6);
    const { steps } = await documentOf('several');
    expect(steps).toHaveLength(6);
    place.proxy.log.length = 0;
    const second = await build('other', path, { platforms, cacheFrom: [registry('several')] });
    expect([second.ran, second.images]).toEqual([0, first.images]);
    expect(second.images[0]!.variants!.map(({ platform }) => platform.architecture)).toEqual([
      'amd64',
      'arm64',
    ]);
    // One platform of the two is found as well, and another has what is for none.
    const one = await build('one-of-them', path, {
      platforms: [platforms[1]!],
      cacheFrom: [registry('several')],
    });
    expect([one.ran, one.imageId]).toEqual([0, first.images[0]!.variants![1]!.imageId]);
    const third = await build('third', path, {
      platforms: [{ os: 'linux', architecture: 's390x' }],
      cacheFrom: [registry('several')],
    });
    expect(third.ran).toBe(2);
  });

  test('a change runs what it has to, over layers that are fetched', async () => {
    const path = context(FILES);
    await build('one', path, { cacheTo: [{ ...registry('changed'), mode: 'max' }] });
    writeFileSync(join(path, 'source'), 'other\n');
    place.proxy.log.length = 0;
    const second = await build('two', path, { cacheFrom: [registry('changed')] });
    // COPY source, the RUN after it, COPY --from and the last RUN.
    expect([second.ran, second.reused]).toEqual([4, 2]);
    // Two documents' worth: the config, the first RUN's layer, COPY asset.
    expect(fetched('changed')).toHaveLength(3);
  });

  test('mode=min has the layers of the result, and knows what the others were', async () => {
    const path = context(FILES);
    const first = await build('one', path, { cacheTo: [registry('min')] });
    expect((await documentOf('min')).layers).toHaveLength(3);
    const second = await build('two', path, { cacheFrom: [registry('min')] });
    expect([second.ran, second.imageId]).toEqual([0, first.imageId]);
    // Now a layer is needed that the cache does not have: its step runs.
    writeFileSync(join(path, 'source'), 'other\n');
    const third = await build('three', path, { cacheFrom: [registry('min')] });
    expect([third.ran, third.reused]).toEqual([5, 1]);
  });

  test('passed on from cache to cache without being fetched, but for what is not there yet', async () => {
    const path = context(FILES);
    const max = { ...registry('passed'), mode: 'max' } as const;
    await build('one', path, { cacheTo: [max] });
    const before = await manifestOf('passed');
    place.proxy.log.length = 0;
    await build('two', path, { cacheFrom: [max], cacheTo: [max] });
    expect(await manifestOf('passed')).toEqual(before);
    expect(fetched('passed')).toHaveLength(4);
    expect(place.proxy.log.filter((line) => line.startsWith('POST'))).toEqual([]);
    const local = join(place.folder, 'passed-on');
    await build('two', path, { cacheFrom: [max], cacheTo: [{ type: 'local', dest: local, mode: 'max' }] });
    const third = await build('three', path, { cacheFrom: [{ type: 'local', src: local }] });
    expect(third.ran).toBe(0);
  });

  test('the registry collects garbage and keeps all of it', async () => {
    const path = context(FILES);
    await build('one', path, { cacheTo: [{ ...registry('kept'), mode: 'max' }] });
    const storage = place.storage;
    const config = join(place.folder, 'collect.yml');
    writeFileSync(
      config,
      JSON.stringify({
        version: '0.1',
        storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
      }),
    );
    await execute('docker-registry', ['garbage-collect', '--delete-untagged', config]);
    const second = await build('two', path, { target: 'build', cacheFrom: [registry('kept')] });
    expect(second.ran).toBe(0);
  });

  test('the image is told of and complete before the cache is exported; a failure of that is its own', async () => {
    const path = context(FILES);
    let atResult: string[] = [];
    const onResult = (): void => {
      atResult = place.proxy.log.filter((line) => /^(?:POST|PUT|PATCH)/.test(line));
      const id = inStore('one', (store) => imageByName(store, 'docker.io/library/result:latest')?.id);
      expect(id).toMatch(/^sha256:/);
    };
    place.proxy.fault = ({ method }) => (method === 'POST' ? 'error' : 'none');
    const error = await build('one', path, { cacheTo: [registry('failing')], onResult }).catch(
      (thrown: unknown) => thrown as Error,
    );
    expect(atResult).toEqual([]);
    expect(error).toMatchObject({ kind: 'unavailable' });
    expect((error as Error).message).toContain(`failed to export the cache to ${place.proxy.host}/failing: `);
    const ignored = await build('one', path, {
      cacheTo: [{ ...registry('failing'), ignoreError: true }],
    });
    expect(ignored.warnings_).toHaveLength(1);
  });

  test('sources that are missing, foreign or broken are warnings; the next one counts', async () => {
    const path = context(FILES);
    await build('one', path, { cacheTo: [{ ...registry('good'), mode: 'max' }] });
    const config = Buffer.from('{"layers":[],"records":[]}');
    await place.client.putUpload(await place.client.startUpload('buildkit'), digestOf(config), config);
    await pushDocument(place.client, 'buildkit', {
      tag: 'latest',
      document: {
        schemaVersion: 2,
        mediaType: OCI.manifest,
        config: {
          mediaType: 'application/vnd.buildkit.cacheconfig.v0',
          digest: digestOf(config),
          size: config.length,
        },
        layers: [],
      },
    });
    const second = await build('two', path, {
      cacheFrom: [
        registry('none'),
        registry('buildkit'),
        registry('base'),
        { type: 'local', src: '/nowhere' },
        registry('good'),
      ],
    });
    expect(second.ran).toBe(0);
    expect(second.warnings_.map((text) => text.replaceAll(place.proxy.host, 'HOST')).sort()).toEqual([
      'the cache HOST/base is not used: there is no cache: it is an image without an inline cache',
      'the cache HOST/buildkit is not used: it is a cache of BuildKit, whose keys only BuildKit can make',
      'the cache HOST/none is not used: HOST/none:latest: not found',
      'the cache local:/nowhere is not used: invalid image archive: "index.json" is missing',
    ]);
  });

  test('a layer that is spoilt or gone is made by its step', async () => {
    const path = context(FILES);
    await build('one', path, { cacheTo: [{ ...registry('spoilt'), mode: 'max' }] });
    place.proxy.fault = ({ method, url }) =>
      method === 'GET' && url.includes('/spoilt/blobs/') && !url.includes(configDigest) ? 'spoil' : 'none';
    const configDigest = (await manifestOf('spoilt')).config.digest;
    const second = await build('two', path, { cacheFrom: [registry('spoilt')] });
    expect(second.ran).toBe(6);
    expect(second.warnings_[0]).toContain('has the digest');
    // Another cache with the same results takes its place.
    const src = join(place.folder, 'as-well');
    await build('one', path, { cacheTo: [{ type: 'local', dest: src, mode: 'max' }] });
    const third = await build('three', path, { cacheFrom: [registry('spoilt'), { type: 'local', src }] });
    expect([third.ran, third.warnings_.length]).toEqual([0, 1]);
    const failed = second.events.filter((event) => event.type === 'ended' && event.outcome === 'failed');
    expect(failed.map((event) => 'vertex' in event && event.vertex)).toEqual(['cached layers 1']);
  });

  test('a cache that lies about files is found out before a step uses them', async () => {
    const path = context(FILES);
    await build('one', path, { cacheTo: [{ ...registry('lying'), mode: 'max' }] });
    const manifest = await manifestOf('lying');
    const document = await documentOf('lying');
    // It says that COPY --from takes something else, for which it has no layer.
    const bytes = Buffer.from(
      JSON.stringify({
        ...document,
        contents: document.contents.map((one) => ({ ...one, digest: 'f'.repeat(64) })),
      }),
    );
    await place.client.putUpload(await place.client.startUpload('lying'), digestOf(bytes), bytes);
    await pushDocument(place.client, 'lying', {
      tag: 'latest',
      document: {
        schemaVersion: 2,
        mediaType: OCI.manifest,
        config: { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(bytes), size: bytes.length },
        layers: manifest.layers,
      },
    });
    const second = await build('two', path, { cacheFrom: [registry('lying')] });
    expect(second.warnings_).toEqual([
      'what the imported caches say of files is not used: it is wrong of some',
    ]);
    // The true digest leads to the records that are true.
    expect(second.ran).toBe(0);
  });

  test('a layer under a record of another is refused', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'a\n' });
    await build('one', path, { cacheTo: [registry('swapped')] });
    const document = await documentOf('swapped');
    const { layers } = await manifestOf('swapped');
    const bytes = Buffer.from(
      JSON.stringify({
        ...document,
        layers: [`sha256:${'0'.repeat(64)}`],
        steps: document.steps.map((step) => ({ ...step, diffId: `sha256:${'0'.repeat(64)}` })),
      }),
    );
    await place.client.putUpload(await place.client.startUpload('swapped'), digestOf(bytes), bytes);
    await pushDocument(place.client, 'swapped', {
      tag: 'latest',
      document: {
        schemaVersion: 2,
        mediaType: OCI.manifest,
        config: { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(bytes), size: bytes.length },
        layers,
      },
    });
    const second = await build('two', path, { cacheFrom: [registry('swapped')] });
    expect([second.ran, second.warnings_.length]).toEqual([1, 1]);
  });

  test('a directory: an OCI layout that holds what its tags name, and no more', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\n', a: 'a\n', b: 'b\n' });
    const dest = join(place.folder, 'local-cache');
    const to = (tag?: string) => ({
      cacheTo: [{ type: 'local' as const, dest, mode: 'max' as const, ...(tag && { tag }) }],
    });
    const blobs = (): string[] => readdirSync(join(dest, 'blobs', 'sha256')).sort();
    await build('one', path, to());
    expect(blobs()).toHaveLength(4);
    const old = blobs();
    // What a crash left, and what nothing names.
    writeFileSync(join(dest, 'blobs', 'sha256', '.new-123'), 'x');
    writeFileSync(join(dest, 'blobs', 'sha256', 'f'.repeat(64)), 'x');
    for (let round = 0; round < 3; round++) {
      writeFileSync(join(path, 'b'), `b ${round}\n`);
      await build('one', path, to());
    }
    expect(blobs()).toHaveLength(4);
    expect(blobs().filter((name) => old.includes(name))).toHaveLength(1);
    await build('one', path, to('second'));
    expect(blobs()).toHaveLength(4);
    const raw = JSON.parse(
      execFileSync('skopeo', ['inspect', '--raw', `oci:${dest}:second`], { encoding: 'utf8' }),
    ) as ImageManifest;
    expect(raw.config.mediaType).toBe(CACHE_CONFIG_TYPE);
    const digest = digestOf(readFileSync(join(dest, 'blobs/sha256', digestIn(dest))));
    const second = await build('two', path, { cacheFrom: [{ type: 'local', src: dest, digest }] });
    expect(second.ran).toBe(0);
    const none = await build('three', path, { cacheFrom: [{ type: 'local', src: dest, tag: 'other' }] });
    expect([none.ran, none.warnings_]).toEqual([
      2,
      [`the cache local:${dest} is not used: there is no cache: the layout has no tag other`],
    ]);
  });

  test('beside images of others in a layout only what was replaced goes', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a\n' });
    const dest = join(place.folder, 'shared-layout');
    mkdirSync(dest);
    await execute('skopeo', [
      '--insecure-policy',
      'copy',
      '--src-tls-verify=false',
      `docker://${place.proxy.host}/base`,
      `oci:${dest}:image`,
    ]);
    const stray = join(dest, 'blobs', 'sha256', 'e'.repeat(64));
    writeFileSync(stray, 'somebody needs it');
    await build('one', path, { cacheTo: [{ type: 'local', dest }] });
    writeFileSync(join(path, 'a'), 'b\n');
    await build('one', path, { cacheTo: [{ type: 'local', dest }] });
    // Of the image manifest, configuration and layer; three of the cache; the stray.
    expect(readdirSync(join(dest, 'blobs', 'sha256'))).toHaveLength(7);
    expect(statSync(stray).size).toBe(17);
    await execute('skopeo', ['inspect', `oci:${dest}:image`]);
  });

  test('compression, media types, an empty cache', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a\n' });
    const types = async (name: string): Promise<string[]> =>
      (await manifestOf(name)).layers.map(({ mediaType }) => mediaType);
    await build('one', path, {
      cacheTo: [{ ...registry('zstd'), compression: 'zstd', compressionLevel: 5 }],
    });
    await build('one', path, { cacheTo: [{ ...registry('plain'), compression: 'uncompressed' }] });
    await build('one', path, { cacheTo: [{ ...registry('docker'), mediaTypes: 'docker' }] });
    expect([await types('zstd'), await types('plain'), await types('docker')]).toEqual([
      ['application/vnd.oci.image.layer.v1.tar+zstd'],
      ['application/vnd.oci.image.layer.v1.tar'],
      ['application/vnd.docker.image.rootfs.diff.tar.gzip'],
    ]);
    for (const name of ['zstd', 'plain', 'docker'])
      expect((await build(name, path, { cacheFrom: [registry(name)] })).ran).toBe(0);
    const empty = context({ Dockerfile: 'FROM scratch\nLABEL a=b\n' });
    await build('one', empty, { cacheTo: [registry('empty')] });
    expect(await types('empty')).toEqual(['application/vnd.oci.empty.v1+json']);
    expect((await build('two', empty, { cacheFrom: [registry('empty')] })).warnings_).toEqual([]);
  });

  test('inline: an image that brings its cache along', async () => {
    const path = context(FILES);
    const output = { type: 'registry', names: [`${place.proxy.host}/inline`], insecure: true } as const;
    const inline = { cacheTo: [{ type: 'inline' }], outputs: [output] } as const;
    const first = await build('one', path, inline);
    const config = await place.client.readBlob('inline', (await manifestOf('inline')).config);
    const { 'slipway.cache.v1': member } = JSON.parse(config.toString()) as Record<
      string,
      { steps: unknown[] }
    >;
    expect(member!.steps).toHaveLength(6);
    const second = await build('two', path, { ...inline, cacheFrom: [registry('inline')] });
    expect([second.ran, second.imageId]).toEqual([0, first.imageId]);
    // An image that is built upon it has none of it, and one that docker-registry holds is an image to others.
    await execute('skopeo', ['inspect', '--tls-verify=false', `docker://${place.proxy.host}/inline`]);
    const above = context({ Dockerfile: 'FROM HOST/inline\nENV a=b\n' });
    await build('three', above, { outputs: [{ ...output, names: [`${place.proxy.host}/above`] }] });
    const child = await place.client.readBlob('above', (await manifestOf('above')).config);
    expect(Object.keys(JSON.parse(child.toString()) as object)).not.toContain('slipway.cache.v1');
    // As Docker's older way to ask for it.
    const asked = await build('one', path, { buildArgs: { BUILDKIT_INLINE_CACHE: '1' } });
    expect([asked.imageId, asked.unusedBuildArgs]).toEqual([first.imageId, []]);
    expect((await build('one', path)).imageId).not.toBe(first.imageId);
  });

  test('two builds write into one directory at the same time', async () => {
    const dest = join(place.folder, 'together');
    const names = ['a', 'b'];
    const paths = names.map((name) => context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: name }));
    await Promise.all(
      names.map((tag, index) => build(tag, paths[index]!, { cacheTo: [{ type: 'local', dest, tag }] })),
    );
    for (const [index, tag] of names.entries()) {
      const found = await build(`${tag}-again`, paths[index]!, {
        cacheFrom: [{ type: 'local', src: dest, tag }],
      });
      expect(found.ran).toBe(0);
    }
  });

  test('on the command line: lines of progress, and the id before the cache', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a\n' });
    const ref = `${place.proxy.host}/shell:cache`;
    const run = {
      root: root('shell'),
      cwd: place.folder,
      env: { HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' },
    };
    const { stderr } = await runSlipway(
      ['build', '--progress=plain', `--cache-from=${ref}`, `--cache-to=type=registry,ref=${ref}`, path],
      run,
    );
    const lines = stderr
      .replaceAll(place.proxy.host, 'HOST')
      .replace(/sha256:[0-9a-f]{64}/g, '<digest>')
      .replace(/ \d+\.\ds done/g, ' done')
      .split('\n')
      .filter((line) => /cache|writing [^i]|ERROR|CACHE/.test(line));
    // A display under load begins the same vertex several times.
    expect([...new Set(lines)].join('\n')).toMatchInlineSnapshot(`
      "#4 importing cache manifest from HOST/shell:cache
      #4 ERROR: HOST/shell:cache: not found
      #7 exporting cache to registry
      #7 preparing build cache for export done
      #7 writing layer <digest> done
      #7 writing config <digest> done
      #7 writing cache image manifest <digest> done
       > importing cache manifest from HOST/shell:cache:
       - CACHE_IMPORT: the cache HOST/shell:cache is not used: HOST/shell:cache: not found"
    `);
    place.proxy.fault = ({ method }) => (method === 'PUT' ? 'error' : 'none');
    const iid = join(place.folder, 'iid');
    const failed = await runSlipway(
      ['build', '-q', '--iidfile', iid, `--cache-to=type=registry,ref=${ref}2`, path],
      run,
    );
    expect([failed.exitCode, failed.stdout]).toEqual([1, `${readFileSync(iid, 'utf8')}\n`]);
    expect(failed.stderr.replaceAll(place.proxy.host, 'HOST')).toContain(
      'failed to export the cache to HOST/shell:cache2: ',
    );
  });

  test('nothing is asked while the store has everything', async () => {
    const path = context({ Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a\n' });
    await build('one', path);
    place.proxy.log.length = 0;
    await build('one', path, { cacheFrom: [registry('whatever')] });
    expect(place.proxy.log).toEqual([]);
  });

  function inStore<T>(machine: string, look: (store: ReturnType<typeof openStore>) => T): T {
    using store = openStore(root(machine));
    return look(store);
  }

  /** Digests of an image's layers but for the base's. */
  function ownLayers(machine: string, id: string): string[] {
    return inStore(machine, (store) =>
      store.database
        .all<{ diff_id: string }>(
          'SELECT layers.diff_id FROM image_layers JOIN layers ON layers.id = image_layers.layer WHERE image = ?',
          id,
        )
        .map((row) => row.diff_id)
        .filter((diffId) => diffId !== base.layers[0]!.diffId),
    );
  }

  function digestIn(layout: string): string {
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    return index.manifests[0]!.digest.slice(7);
  }
});
