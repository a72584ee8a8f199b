import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { imageById, imageLayers, listImages } from '../../src/store/images.ts';
import { layerDirectory } from '../../src/store/layout.ts';
import { startLease } from '../../src/store/leases.ts';
import { removeImage } from '../../src/store/removal.ts';
import { newStore, outcomeOf, tempDir } from '../store/support.ts';
import { describeWith, root } from '../support/need.ts';
import { archivesOfAllAges } from './archive-ages.ts';
import { load } from './load.ts';
import { makeTar, type Part } from './make-tar.ts';

const archives = archivesOfAllAges();

describeWith({ needs: [root()] }, 'archives of every age', () => {
  test.each(archives)('$writer', async ({ bytes, names }) => {
    const store = newStore();
    const lease = startLease(store);
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, bytes);
    const loaded = await load(store, lease, { input: { kind: 'file', path } });
    expect(loaded.map((image) => image.names)).toEqual([names]);
    const { id } = loaded[0]!;
    const [bottom, top] = imageLayers(store, id).map((layer) => layerDirectory(store.root, layer.id));
    expect(fs.readFileSync(join(bottom!, 'etc/motd'), 'utf8')).toBe('old');
    expect(fs.readFileSync(join(top!, 'etc/motd'), 'utf8')).toBe('hello from an archive\n');
    expect([...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))]).toEqual([]);
    // A second time there is nothing new.
    expect(await load(store, lease, { input: { kind: 'file', path } })).toEqual(loaded);
  });

  test('ids are those that a Docker engine gives', async () => {
    const ids: Record<string, string[]> = {};
    for (const { writer, bytes } of archives) {
      const store = newStore();
      const path = join(tempDir(), 'a.tar');
      fs.writeFileSync(path, bytes);
      await load(store, startLease(store), { input: { kind: 'file', path } });
      ids[writer] = listImages(store).map(({ id, tags }) => `${id.slice(7, 19)} ${tags.join()}`);
    }
    expect(ids).toMatchInlineSnapshot(`
      {
        "BuildKit, type=docker": [
          "284318ec0cb8 old.example/ships/boat:tar",
        ],
        "BuildKit, type=oci with an index inside": [
          "284318ec0cb8 old.example/ships/boat:buildkit",
        ],
        "Docker 1.10 (v1.1)": [
          "284318ec0cb8 old.example/ships/boat:v1.1",
        ],
        "Docker 1.12 to 24 (v1.2), by id": [
          "284318ec0cb8 ",
        ],
        "Docker 1.3 (v1)": [
          "f202d5ef3b33 old.example/ships/boat:v1",
          "9c15cdf5ef21 ",
        ],
        "Docker 1.9 (v1)": [
          "eccf954ac146 old.example/ships/boat:v1",
          "cac44b9ce2fe ",
        ],
        "Docker 25 and later": [
          "284318ec0cb8 old.example/ships/boat:25",
        ],
        "another program (v1)": [
          "ae155a63e633 old.example/ships/boat:v1",
          "9f97e188ef5c ",
        ],
        "podman and skopeo, docker-archive": [
          "284318ec0cb8 old.example/ships/boat:podman",
        ],
        "podman, oci-archive": [
          "284318ec0cb8 old.example/ships/boat:oci",
        ],
        "skopeo, oci-archive with a bare tag": [
          "284318ec0cb8 ",
        ],
      }
    `);
  });

  test('images of v1 have parents, which go with the last one', async () => {
    const store = newStore();
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, archives[0]!.bytes);
    const [top] = await load(store, startLease(store), { input: { kind: 'file', path } });
    const { parent } = imageById(store, top!.id)!;
    expect(imageById(store, parent!)).toMatchObject({ tags: [] });
    const { lines } = removeImage(store, top!.names[0]!);
    expect(lines.map((line) => ('deleted' in line ? line.deleted : line.untagged)).slice(0, 2)).toEqual([
      'old.example/ships/boat:v1',
      top!.id,
    ]);
    expect(lines).toContainEqual({ deleted: parent });
    expect(listImages(store)).toEqual([]);
  });

  test.each(['gzip', 'bzip2', 'xz', 'zstd'])('v1 inside %s', async (compressor) => {
    const store = newStore();
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, execFileSync(compressor, ['-c'], { input: archives[0]!.bytes }));
    const loaded = await load(store, startLease(store), { input: { kind: 'file', path } });
    expect(loaded.map(({ names }) => names)).toEqual([archives[0]!.names]);
  });

  test('v1 as a directory', async () => {
    const store = newStore();
    const directory = tempDir();
    execFileSync('tar', ['-xC', directory], { input: archives[1]!.bytes });
    const loaded = await load(store, startLease(store), { input: { kind: 'file', path: directory } });
    expect(loaded.map(({ names }) => names)).toEqual([archives[1]!.names]);
  });
});

const ID = (digit: string): string => digit.repeat(64);
const HOLE = makeTar([{ path: 'x', content: 'x' }]);

function v1Image(
  id: string,
  change: { parent?: unknown; json?: string; layer?: Buffer | undefined } = {},
): Part[] {
  const { parent, json = JSON.stringify({ id, parent, os: 'linux', architecture: 'amd64' }) } = change;
  const layer = 'layer' in change ? change.layer : HOLE;
  return [
    { path: `${id}/json`, content: json },
    ...(layer === undefined ? [] : [{ path: `${id}/layer.tar`, content: layer }]),
  ];
}

const chain = (length: number): Part[] =>
  Array.from({ length }, (_, i) => i.toString(16).padStart(64, '0')).flatMap((id, i, ids) =>
    v1Image(id, { parent: ids[i - 1] }),
  );

describeWith({ needs: [root()] }, 'hostile archives of v1', () => {
  test.each<[string, Part[]]>([
    [
      'a circle of parents',
      [...v1Image(ID('a'), { parent: ID('b') }), ...v1Image(ID('b'), { parent: ID('a') })],
    ],
    ['its own parent', v1Image(ID('a'), { parent: ID('a') })],
    ['a parent that is missing', v1Image(ID('a'), { parent: ID('b') })],
    ['a parent that is a path', v1Image(ID('a'), { parent: '../etc' })],
    ['a parent that is no text', v1Image(ID('a'), { parent: 5 })],
    ['a folder that is no id', v1Image('boat')],
    ['a layer that is missing', v1Image(ID('a'), { layer: undefined })],
    ['a layer that is no tar', v1Image(ID('a'), { layer: Buffer.alloc(2000, 'x') })],
    ['a json that is none', v1Image(ID('a'), { json: '{' })],
    ['a json that is a list', v1Image(ID('a'), { json: '[]' })],
    ['a time that is none', v1Image(ID('a'), { json: '{"created":"yesterday"}' })],
    ['a config that is a text', v1Image(ID('a'), { json: '{"config":"x"}' })],
    ['a huge json', v1Image(ID('a'), { json: `{"a":"${'x'.repeat(9 << 20)}"}` })],
    ['too many parents', chain(128)],
    [
      'a name of an image that is missing',
      [...v1Image(ID('a')), { path: 'repositories', content: `{"x":{"1":"${ID('b')}"}}` }],
    ],
    [
      'a name that is none',
      [...v1Image(ID('a')), { path: 'repositories', content: `{"X":{"1":"${ID('a')}"}}` }],
    ],
    [
      'repositories of another shape',
      [...v1Image(ID('a')), { path: 'repositories', content: '{"x":["1"]}' }],
    ],
    ['repositories alone', [{ path: 'repositories', content: '{}' }]],
  ])('%s', async (_what, parts) => {
    const store = newStore();
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, makeTar(parts));
    const outcome = await outcomeOf(load(store, startLease(store), { input: { kind: 'file', path } }));
    expect(outcome).toMatchSnapshot();
    expect(listImages(store)).toEqual([]);
    expect(['layers', 'tmp'].flatMap((folder) => fs.readdirSync(join(store.root, folder)))).toEqual([]);
  });

  test('histories that grow with every parent are limited', async () => {
    const ids = Array.from({ length: 60 }, (_, i) => i.toString(16).padStart(64, '0'));
    const container_config = { Cmd: ['x'.repeat(300_000)] };
    const parts = ids.flatMap((id, i) =>
      v1Image(id, {
        json: JSON.stringify({ parent: ids[i - 1], docker_version: '1.9.1', container_config }),
      }),
    );
    const store = newStore();
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, makeTar(parts));
    expect(
      await outcomeOf(load(store, startLease(store), { input: { kind: 'file', path } })),
    ).toMatchInlineSnapshot(
      `"exhausted DOCUMENT_TOO_LARGE: the configurations of the images in the archive are too large"`,
    );
  });

  test('as many layers as an image of that time could have', async () => {
    const store = newStore();
    const path = join(tempDir(), 'a.tar');
    fs.writeFileSync(path, makeTar(chain(127)));
    const loaded = await load(store, startLease(store), { input: { kind: 'file', path } });
    expect(loaded).toHaveLength(1);
    expect(imageLayers(store, loaded[0]!.id)).toHaveLength(127);
  });
});
