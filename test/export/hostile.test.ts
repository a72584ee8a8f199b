import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openArchive } from '../../src/export/input.ts';
import { buildIndex, buildManifest } from '../../src/image/build-manifest.ts';
import { encodeTarHeader } from '../../src/layer/tar-write.ts';
import { layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { collectGarbage, forgetGarbage } from '../../src/store/garbage.ts';
import { listImages } from '../../src/store/images.ts';
import { startLease } from '../../src/store/leases.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, outcomeOf, tempDir } from '../store/support.ts';
import { describeWith, root } from '../support/need.ts';
import { load } from './load.ts';
import { makeTar, type Part } from './make-tar.ts';

const digest = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const LAYER = makeTar([{ path: 'hello', content: 'world' }]);

function configOf(...layers: Buffer[]): string {
  return JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(digest) },
  });
}

/** A docker archive with one layer, changed here and there. */
function dockerTar(change: {
  layers?: unknown;
  config?: string;
  tags?: unknown;
  parts?: Part[];
  manifest?: string;
}): Buffer {
  const manifest =
    change.manifest ??
    JSON.stringify([
      { Config: 'c.json', RepoTags: change.tags ?? ['x:1'], Layers: change.layers ?? ['l.tar'] },
    ]);
  return makeTar([
    { path: 'c.json', content: change.config ?? configOf(LAYER) },
    ...(change.parts ?? [{ path: 'l.tar', content: LAYER }]),
    { path: 'manifest.json', content: manifest },
  ]);
}

let store: Store;
let lease: string;
let dir: string;
beforeEach(() => {
  store = newStore();
  lease = startLease(store);
  dir = tempDir();
});

async function result(archive: Buffer): Promise<string> {
  const path = join(dir, 'archive');
  fs.writeFileSync(path, archive);
  const outcome = await outcomeOf(load(store, lease, { input: { kind: 'file', path } }));
  return typeof outcome === 'string'
    ? outcome
    : `loaded ${(outcome as { names: string[] }[])[0]!.names.join()}`;
}

/** Nothing of a refused archive is left, in the index or on disk. */
afterEach(() => {
  for (const folder of ['layers', 'tmp', 'overrides']) {
    const names = fs
      .readdirSync(join(store.root, folder))
      .filter((_name) => folder !== 'layers' || listImages(store).length === 0);
    expect(names).toEqual([]);
  }
  forgetGarbage(store, collectGarbage(store).layers);
});

describeWith({ needs: [root()] }, 'archives that are what they should be', () => {
  test('old docker archives name layers through links', async () => {
    const parts: Part[] = [
      { path: 'aaa/layer.tar', content: LAYER },
      { path: 'bbb/layer.tar', type: 'symlink', link: '../aaa/layer.tar' },
      { path: 'ccc/layer.tar', type: 'hardlink', link: 'bbb/layer.tar' },
    ];
    expect(await result(dockerTar({ parts, layers: ['./ccc/layer.tar'] }))).toBe(
      'loaded docker.io/library/x:1',
    );
  });

  test('a parent without an entry takes what the layers below have', async () => {
    const directory = { type: 'directory', mtimeNs: 5_000_000_000n } as const;
    const bottom = makeTar([
      { ...directory, path: 'tmp/', mode: 0o1777, uid: 7 },
      { ...directory, path: 'gone/', mode: 0o700 },
      { ...directory, path: 'hidden/', mode: 0o755 },
      { ...directory, path: 'hidden/sub/', mode: 0o700 },
    ]);
    const middle = makeTar([
      { path: '.wh.gone' },
      { ...directory, path: 'hidden/', mode: 0o711 },
      { path: 'hidden/.wh..wh..opq' },
    ]);
    const top = makeTar([{ path: 'tmp/x' }, { path: 'gone/x' }, { path: 'hidden/sub/x' }]);
    const layers = [bottom, middle, top];
    const parts = layers.map((content, i): Part => ({ path: `${i}`, content }));
    expect(await result(dockerTar({ config: configOf(...layers), parts, layers: ['0', '1', '2'] }))).toMatch(
      /^loaded/,
    );
    const stat = (path: string) => {
      const { mode, uid, mtimeMs } = fs.statSync(join(store.root, 'layers/3', path));
      return `${(mode & 0o7777).toString(8)} ${uid} ${mtimeMs}`;
    };
    expect(['tmp', 'gone', 'hidden', 'hidden/sub'].map(stat)).toEqual([
      '1777 7 5000',
      '755 0 0',
      '711 0 5000',
      '755 0 0',
    ]);
    expect(await checkLayers(store.root, lease, layerChecks(store))).toEqual([]);
  });

  test('compressed layers and compressed archives', async () => {
    const archive = dockerTar({ parts: [{ path: 'l.tar', content: gzipSync(LAYER) }] });
    expect(await result(gzipSync(archive))).toBe('loaded docker.io/library/x:1');
    const row = store.database.get<{ origin_type: string; diff_id: string }>('SELECT * FROM layers');
    expect(row).toMatchObject({
      origin_type: 'application/vnd.oci.image.layer.v1.tar+gzip',
      diff_id: digest(LAYER),
      origin_digest: digest(gzipSync(LAYER)),
    });
  });
});

describeWith({ needs: [root()] }, 'hostile docker archives', () => {
  test.each<[string, () => Buffer]>([
    ['paths out of the archive', () => dockerTar({ layers: ['../../../../etc/passwd'] })],
    [
      'a link out of the archive',
      () => dockerTar({ parts: [{ path: 'l.tar', type: 'symlink', link: '/etc/passwd' }] }),
    ],
    [
      'a link upwards',
      () => dockerTar({ parts: [{ path: 'l.tar', type: 'symlink', link: '../../../etc/passwd' }] }),
    ],
    [
      'links in a circle',
      () =>
        dockerTar({
          parts: [
            { path: 'l.tar', type: 'symlink', link: 'm.tar' },
            { path: 'm.tar', type: 'symlink', link: 'l.tar' },
          ],
        }),
    ],
    [
      'a layer that is a device',
      () => dockerTar({ parts: [{ path: 'l.tar', type: 'char', major: 1, minor: 5 }] }),
    ],
    [
      'a layer with another digest',
      () => dockerTar({ parts: [{ path: 'l.tar', content: makeTar([{ path: 'x' }]) }] }),
    ],
    ['a layer that is no tar', () => dockerTar({ parts: [{ path: 'l.tar', content: 'x'.repeat(2000) }] })],
    [
      'the second layer is bad',
      () => dockerTar({ config: configOf(LAYER, makeTar([{ path: 'z' }])), layers: ['l.tar', 'c.json'] }),
    ],
    ['fewer layers than the configuration', () => dockerTar({ layers: [] })],
    ['a name that is none', () => dockerTar({ tags: ['../../x:1'] })],
    ['a manifest of another shape', () => dockerTar({ manifest: '{"Config":"c.json"}' })],
    ['layers that are no list', () => dockerTar({ layers: 'l.tar' })],
    ['a manifest that is a bomb', () => dockerTar({ manifest: `[${'['.repeat(9 << 20)}` })],
    ['a configuration that is no configuration', () => dockerTar({ config: '{"rootfs":{"diff_ids":[1]}}' })],
    ['an archive cut short', () => dockerTar({}).subarray(0, 3000)],
    ['a compressed archive cut short', () => gzipSync(dockerTar({})).subarray(0, 200)],
    ['something else', () => Buffer.from('hello')],
    ['an empty file', () => Buffer.alloc(0)],
    ['a tar without an image', () => LAYER],
    [
      'a size beyond all measure',
      () => {
        const archive = dockerTar({});
        const header = encodeTarHeader({
          path: 'big',
          type: 'file',
          mode: 0,
          uid: 0,
          gid: 0,
          mtimeNs: 0n,
          size: 2 ** 50,
        });
        return Buffer.concat([header, archive]);
      },
    ],
  ])('%s', async (name, archive) => {
    expect(
      `${name}: ${(await result(archive())).replace(/[0-9a-f]{64}/g, 'HEX').slice(0, 160)}`,
    ).toMatchSnapshot();
    expect(listImages(store)).toEqual([]);
  });
});

describeWith({ needs: [root()] }, 'hostile OCI layouts', () => {
  const config = Buffer.from(configOf(LAYER));
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: digest(LAYER),
    size: LAYER.length,
  };
  const manifest = buildManifest({ digest: digest(config), size: config.length }, [layer]);
  const blob = (bytes: Buffer, name = digest(bytes)): Part => ({
    path: `blobs/sha256/${name.slice(7)}`,
    content: bytes,
  });
  const entry = (bytes: Buffer, change: object = {}) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digest(bytes),
    size: bytes.length,
    annotations: { 'io.containerd.image.name': 'docker.io/library/x:1' },
    ...change,
  });
  const layout = (parts: Part[], index: Buffer = buildIndex([entry(manifest.bytes)]).bytes) =>
    makeTar([{ path: 'index.json', content: index }, ...parts]);
  const all = [blob(config), blob(LAYER), blob(manifest.bytes)];

  test('the honest one', async () => {
    expect(await result(layout(all))).toBe('loaded docker.io/library/x:1');
  });

  test('an index inside: the image of the platform, attestations left out', async () => {
    const unknown = { platform: { os: 'unknown', architecture: 'unknown' } };
    const inner = buildIndex([
      entry(config, unknown),
      entry(manifest.bytes, { platform: { os: 'linux', architecture: 's390x' } }),
      entry(manifest.bytes, { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }),
    ]).bytes;
    const outer = buildIndex([entry(inner, { mediaType: 'application/vnd.oci.image.index.v1+json' })]).bytes;
    const path = join(dir, 'a');
    fs.writeFileSync(path, layout([...all, blob(inner)], outer));
    const input = { kind: 'file', path } as const;
    const windows = { os: 'windows', architecture: 'amd64' };
    expect(await outcomeOf(load(store, lease, { input, platform: windows }))).toBe(
      'not-found PLATFORM_NOT_FOUND: the archive has no image for windows/amd64',
    );
    const arm = { os: 'linux', architecture: 'arm64' };
    expect(await outcomeOf(load(store, lease, { input, platform: arm }))).toMatchObject([
      { id: digest(config) },
    ]);
  });

  test.each<[string, () => Buffer]>([
    [
      'a manifest with another digest',
      () =>
        layout([
          blob(config),
          blob(LAYER),
          blob(Buffer.from(manifest.bytes.toString().replace('"size":', '"size": ')), manifest.digest),
        ]),
    ],
    [
      'a manifest with the same size and another digest',
      () =>
        layout([
          blob(config),
          blob(LAYER),
          blob(Buffer.from(manifest.bytes.toString().replace('tar"', 'tax"')), manifest.digest),
        ]),
    ],
    [
      'a layer with another content',
      () =>
        layout([
          blob(config),
          blob(Buffer.from(LAYER).fill('y', 512, 517), layer.digest),
          blob(manifest.bytes),
        ]),
    ],
    ['a layer that is missing', () => layout([blob(config), blob(manifest.bytes)])],
    [
      'a digest that is a path',
      () =>
        layout(
          all,
          Buffer.from(
            `{"schemaVersion":2,"manifests":[{"mediaType":"a","size":1,"digest":"sha256:../../../etc/passwd"}]}`,
          ),
        ),
    ],
    [
      'indexes without end',
      () => {
        let inner = entry(manifest.bytes);
        const parts: Part[] = [];
        for (let i = 0; i < 9; i++) {
          const bytes = buildIndex([inner]).bytes;
          parts.push(blob(bytes));
          inner = entry(bytes, { mediaType: 'application/vnd.oci.image.index.v1+json' });
        }
        return layout([...all, ...parts], buildIndex([inner]).bytes);
      },
    ],
  ])('%s', async (name, archive) => {
    expect(
      `${name}: ${(await result(archive())).replace(/[0-9a-f]{64}/g, 'HEX').slice(0, 160)}`,
    ).toMatchSnapshot();
    expect(listImages(store)).toEqual([]);
  });

  test('a directory with a FIFO and a link in place of files', async () => {
    const path = join(dir, 'layout');
    fs.mkdirSync(path);
    fs.symlinkSync('/etc/passwd', join(path, 'manifest.json'));
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [join(path, 'index.json')]);
    expect(await outcomeOf(load(store, lease, { input: { kind: 'file', path } }))).toBe(
      'invalid ARCHIVE_INVALID: invalid image archive: it has neither manifest.json nor index.json',
    );
  });
});

test('a compressed archive larger than the limit is refused', async () => {
  const path = join(dir, 'bomb.gz');
  fs.writeFileSync(path, gzipSync(Buffer.alloc(10 << 20)));
  const scratch = join(store.root, 'tmp', 'x');
  expect(await outcomeOf(openArchive({ kind: 'file', path }, { scratch, maxBytes: 1 << 20 }))).toBe(
    'exhausted ARCHIVE_TOO_LARGE: the archive is larger than the limit of 1048576 bytes',
  );
  expect(await outcomeOf(load(store, lease, { input: { kind: 'file', path: '/no/such' } }))).toBe(
    'not-found INPUT_NOT_FOUND: open /no/such: no such file or directory',
  );
});
