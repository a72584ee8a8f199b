import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adoptBlob, blobSize, putBlob } from '../../src/store/blobs.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { claim, claimHolder, release } from '../../src/store/claims.ts';
import { deleteGarbage, deleteTree } from '../../src/store/collect.ts';
import { findImage } from '../../src/store/find-image.ts';
import { collectGarbage, forgetGarbage } from '../../src/store/garbage.ts';
import { imageById, listImages, putImage, tagImage, untagImage } from '../../src/store/images.ts';
import {
  abandonLayer,
  allocateLayer,
  completeLayer,
  holdLayerByDiffId,
  holdLayers,
  layerByDiffId,
  layersForChain,
} from '../../src/store/layers.ts';
import { activePath, blobPath, layerDirectory, listingPath, temporaryPath } from '../../src/store/layout.ts';
import { endDeadLeases, endLease, isLeaseAlive, startLease } from '../../src/store/leases.ts';
import { getContent, getPlan, getValue, putContent, putPlan, putValue } from '../../src/store/memory.ts';
import { removeImage } from '../../src/store/removal.ts';
import {
  dropSteps,
  getStep,
  hasDefinition,
  putStep,
  type StepRecord,
  stepsByDefinition,
  touchSteps,
} from '../../src/store/steps.ts';
import type { Store } from '../../src/store/store.ts';
import { describeWith, root } from '../support/need.ts';
import { makeImage, makeLayer, newStore, outcome, tempDir } from './support.ts';

const GHOST = `sha256:${'f'.repeat(64)}`;

/** Removes what nobody needs, as the front and the worker do it together. */
function sweep(store: Store): string[] {
  const garbage = collectGarbage(store);
  deleteGarbage(store.root, garbage);
  forgetGarbage(store, garbage.layers);
  return [...garbage.layers.map((id) => `layers/${id}`), ...garbage.strays];
}

/** A lease whose process is gone. */
function deadLease(store: Store): string {
  const lease = startLease(store);
  store.database.run('UPDATE leases SET start_time = start_time + 1 WHERE id = ?', lease);
  return lease;
}

function step(store: Store, key: string, layer?: { id: string; diffId: string }): StepRecord {
  const record: StepRecord = {
    key,
    definition: `def-${key[0]}`,
    parentChain: `chain-${key}`,
    ...(layer === undefined ? {} : { layer: layer.id, diffId: layer.diffId }),
    created: '2024-01-01T00:00:00.000000001Z',
    durationMs: 12.5,
    buildId: 'b',
    bootId: 'boot',
    parts: { args: ['a'] },
  };
  putStep(store, record);
  return record;
}

describe('layers', () => {
  test('one diffId is one layer, whoever made it first', () => {
    const store = newStore();
    const lease = startLease(store);
    const first = makeLayer(store, lease, { 'a/b': 'x' });
    const second = makeLayer(store, lease, { 'a/b': 'x' });
    expect(second).toEqual(first);
    expect(layerByDiffId(store, first.diffId)).toEqual(first);
    // The second directory stays while the process lives: mounts may lie on it.
    expect(sweep(store)).toEqual([]);
    endLease(store, lease);
    expect(sweep(store).sort()).toEqual(['layers/1', 'layers/2']);
    expect(fs.readdirSync(join(store.root, 'layers'))).toEqual([]);
  });

  test('ids are short and never used twice', () => {
    const store = newStore();
    const lease = startLease(store);
    const ids = Array.from({ length: 40 }, () => allocateLayer(store, lease));
    expect(ids.slice(33, 38)).toEqual(['y', 'z', '10', '11', '12']);
    for (const id of ids) abandonLayer(store, id);
    sweep(store);
    expect(allocateLayer(store, lease)).toBe('15');
  });

  test('only what is in the making can be completed', () => {
    const store = newStore();
    const lease = startLease(store);
    const id = allocateLayer(store, lease);
    abandonLayer(store, id);
    const done = { diffId: GHOST, tarSize: 1, size: 1, packer: 1, bootId: 'b' };
    expect(outcome(() => completeLayer(store, id, done))).toBe(
      'conflict LAYER_GONE: layer 1 cannot be used: it is not in the making',
    );
    const other = allocateLayer(store, lease);
    const origin = { digest: GHOST, size: 1, mediaType: 'x' };
    expect(outcome(() => completeLayer(store, other, { ...done, origin }))).toMatch(
      /its blob .* is not in the store/,
    );
    expect(layersForChain(store, [GHOST])).toEqual({ missing: [GHOST] });
  });

  test('what keeps a layer: an image, a step, a live lease; nothing else', () => {
    const store = newStore();
    const lease = startLease(store);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => makeLayer(store, lease, { [name]: name }));
    makeImage(store, [a!], { tags: ['docker.io/library/x:1'] });
    step(store, 'k1', b);
    const other = startLease(store);
    expect(holdLayerByDiffId(store, other, c!.diffId)?.id).toBe(c!.id);
    expect(holdLayerByDiffId(store, other, GHOST)).toBeUndefined();
    endLease(store, lease);
    expect(sweep(store)).toEqual([`layers/${d!.id}`]);
    endLease(store, other);
    dropSteps(store, ['k1']);
    expect(sweep(store).sort()).toEqual([`layers/${b!.id}`, `layers/${c!.id}`]);
    expect(outcome(() => holdLayers(store, startLease(store), [a!.id, b!.id]))).toMatch(/LAYER_GONE/);
    expect(store.database.all('SELECT * FROM holds')).toEqual([]);
  });
});

describe('images', () => {
  test('an image appears with its names or not at all', () => {
    const store = newStore();
    const lease = startLease(store);
    const layer = makeLayer(store, lease, { a: '12345' });
    const id = makeImage(store, [layer], { tags: ['docker.io/library/x:1', 'localhost:5000/y:2'] });
    expect(imageById(store, id)).toMatchObject({
      id,
      created: '2024-01-01T00:00:00Z',
      size: 5,
      tags: ['docker.io/library/x:1', 'localhost:5000/y:2'],
    });
    endLease(store, lease);
    removeImage(store, id, { force: true });
    expect(outcome(() => makeImage(store, [layer], { tags: ['docker.io/library/x:1'] }))).toMatch(
      /^conflict LAYERS_MISSING/,
    );
    expect(listImages(store)).toEqual([]);
    expect(store.database.all('SELECT * FROM tags')).toEqual([]);
  });

  test('a moved name leaves a dangling image', () => {
    const store = newStore();
    const lease = startLease(store);
    const one = makeImage(store, [makeLayer(store, lease, { a: '1' })], {
      tags: ['docker.io/library/x:latest'],
    });
    const document = store.database.get<{ config: Uint8Array }>('SELECT config FROM images')!.config;
    const two = makeImage(store, [makeLayer(store, lease, { a: '2' })], {
      tags: ['docker.io/library/x:latest'],
    });
    expect(findImage(store, 'x').image.id).toBe(two);
    expect(imageById(store, one)!.tags).toEqual([]);
    expect(tagImage(store, 'docker.io/library/x:latest', one)).toEqual({
      name: 'docker.io/library/x:latest',
      from: two,
    });
    expect(putImage(store, { config: Buffer.from(document), tags: ['docker.io/library/x:latest'] })).toEqual({
      id: one,
      moved: [],
    });
    expect(untagImage(store, 'docker.io/library/x:latest')).toBe(one);
    expect(untagImage(store, 'docker.io/library/x:latest')).toBeUndefined();
    expect(outcome(() => tagImage(store, 'x:1', one))).toMatch(/^usage TAG_INVALID/);
    expect(outcome(() => tagImage(store, 'docker.io/library/sha256:1', one))).toMatch(/^usage TAG_AMBIGUOUS/);
    expect(outcome(() => tagImage(store, 'docker.io/library/x:1', GHOST))).toBe(
      `not-found IMAGE_NOT_FOUND: No such image: ${GHOST}`,
    );
  });

  test('images are found by name, id, short id and digest', () => {
    const store = newStore();
    const ids = ['11', '12', 'ab'].map((start) => `sha256:${start}${'0'.repeat(62)}`);
    for (const id of ids) {
      store.database.run("INSERT INTO images VALUES (?, x'7b7d', NULL, NULL, '2024', 0, 0, NULL)", id);
    }
    tagImage(store, 'docker.io/library/ab:latest', ids[0]!);
    store.database.run('INSERT INTO image_digests VALUES (?, ?)', `docker.io/library/r@${GHOST}`, ids[1]!);
    const found = (text: string) => outcome(() => findImage(store, text).image.id.slice(7, 9));
    expect(
      Object.fromEntries(
        [
          ids[0]!,
          ids[2]!.slice(7),
          'ab',
          'ab0',
          'docker.io/library/ab',
          '12',
          'sha256:12',
          'ab:2',
          '1',
          'sha256:1',
          '99',
          `r@${GHOST}`,
          `r:tag@${GHOST}`,
          'UP',
          'sha256:ab',
        ].map((text) => [text.slice(0, 24), found(text)]),
      ),
    ).toMatchInlineSnapshot(`
      {
        "1": "invalid AMBIGUOUS_ID: the id 1 is ambiguous: 2 images start with it",
        "12": "12",
        "99": "not-found IMAGE_NOT_FOUND: No such image: 99:latest",
        "UP": "syntax REFERENCE_INVALID: invalid reference format: repository name (library/UP) must be lowercase",
        "ab": "11",
        "ab0": "ab",
        "ab0000000000000000000000": "ab",
        "ab:2": "not-found IMAGE_NOT_FOUND: No such image: ab:2",
        "docker.io/library/ab": "11",
        "r:tag@sha256:fffffffffff": "12",
        "r@sha256:fffffffffffffff": "12",
        "sha256:1": "invalid AMBIGUOUS_ID: the id sha256:1 is ambiguous: 2 images start with it",
        "sha256:11000000000000000": "11",
        "sha256:12": "12",
        "sha256:ab": "ab",
      }
    `);
  });
});

describe('removing images', () => {
  const X1 = 'docker.io/library/x:1';

  function scene() {
    const store = newStore();
    const lease = startLease(store);
    const layers = ['a', 'b'].map((name) => makeLayer(store, lease, { [name]: name }));
    const id = makeImage(store, layers, { tags: [X1] });
    endLease(store, lease);
    return { store, id, layers };
  }

  const short = (value: unknown, id: string) =>
    JSON.stringify(value)?.replaceAll(id, 'ID').replaceAll(id.slice(7, 19), 'ID');

  test('the last name takes the image and its layers along', () => {
    const { store, id, layers } = scene();
    const { lines, layers: gone } = removeImage(store, 'x:1');
    expect(lines.map((line) => ('untagged' in line ? line : 'deleted'))).toEqual([
      { untagged: 'x:1' },
      'deleted',
      'deleted',
      'deleted',
    ]);
    expect(lines[1]).toEqual({ deleted: id });
    expect(lines[3]).toEqual({ deleted: layers[0]!.diffId });
    expect(gone.sort()).toEqual(layers.map((layer) => layer.id).sort());
    expect(sweep(store).sort()).toEqual(['layers/1', 'layers/2']);
    expect(checkIndex(store)).toEqual([]);
  });

  test('one name of several, an id with several repositories, force', () => {
    const { store, id } = scene();
    tagImage(store, 'docker.io/library/y:1', id);
    expect(removeImage(store, 'y:1').lines).toEqual([{ untagged: 'y:1' }]);
    tagImage(store, 'docker.io/library/y:1', id);
    expect(
      short(
        outcome(() => removeImage(store, id)),
        id,
      ),
    ).toBe(
      '"conflict IMAGE_IN_USE: conflict: unable to delete ID (must be forced) - image is referenced in multiple repositories"',
    );
    expect(imageById(store, id)!.tags).toHaveLength(2);
    expect(short(removeImage(store, id.slice(7, 15), { force: true }).lines.slice(0, 3), id)).toBe(
      '[{"untagged":"x:1"},{"untagged":"y:1"},{"deleted":"ID"}]',
    );
  });

  test('layers that the cache or another image has stay', () => {
    const { store, id, layers } = scene();
    step(store, 'k', layers[1]);
    makeImage(store, [layers[0]!], { tags: ['docker.io/library/base:1'] });
    expect(removeImage(store, 'x:1').lines).toEqual([{ untagged: 'x:1' }, { deleted: id }]);
    expect(sweep(store)).toEqual([]);
    expect(getStep(store, 'k')!.layer).toBe(layers[1]!.id);
  });

  test('children, parents and containers', () => {
    const { store, id, layers } = scene();
    const child = makeImage(store, layers, {
      tags: ['docker.io/library/c:1'],
      config: { User: 'x' },
      parent: id,
    });
    expect(
      short(
        outcome(() => removeImage(store, id, { force: true })),
        id,
      ),
    ).toBe(
      '"conflict IMAGE_IN_USE: conflict: unable to delete ID (cannot be forced) - image has dependent child images"',
    );
    expect(removeImage(store, 'x:1').lines).toEqual([{ untagged: 'x:1' }]);
    const usesOf = (image: string) =>
      image === child ? [{ container: 'c'.repeat(64), running: false }] : [];
    expect(
      short(
        outcome(() => removeImage(store, 'c:1', { usesOf })),
        child,
      ),
    ).toBe(
      '"conflict IMAGE_IN_USE: conflict: unable to delete ID (must be forced) - image is being used by stopped container cccccccccccc"',
    );
    expect(imageById(store, child)!.tags).toEqual(['docker.io/library/c:1']);
    // The nameless parent goes with its last child.
    expect(removeImage(store, 'c:1', { usesOf, force: true }).lines.slice(0, 3)).toEqual([
      { untagged: 'c:1' },
      { deleted: child },
      { deleted: id },
    ]);
  });
});

describe('steps and what is remembered', () => {
  test('records', () => {
    const store = newStore();
    const layer = makeLayer(store, startLease(store), { a: 'a' });
    const record = step(store, 'k1', layer);
    step(store, 'k2');
    expect(getStep(store, 'k1')).toEqual(record);
    expect(getStep(store, 'none')).toBeUndefined();
    expect(hasDefinition(store, 'def-k')).toBe(true);
    expect(hasDefinition(store, 'def-x')).toBe(false);
    expect(stepsByDefinition(store, 'def-k').map((found) => found.key)).toEqual(['k2', 'k1']);
    dropSteps(store, ['k2']);
    expect(hasDefinition(store, 'def-k', 'chain-k1')).toBe(false);
    store.database.run('UPDATE steps SET used_ms = 0');
    touchSteps(store, ['k1', 'gone']);
    expect(store.database.get('SELECT used_ms > 0 AS used FROM steps')).toEqual({ used: 1 });
    expect(outcome(() => step(store, 'k3', { id: '7', diffId: GHOST }))).toMatch(/LAYER_GONE/);
  });

  test('contents, plans, values', () => {
    const store = newStore();
    putContent(store, GHOST, 'a', 'd1');
    putContent(store, GHOST, 'a', 'd2');
    expect([getContent(store, GHOST, 'a'), getContent(store, GHOST, 'b')]).toEqual(['d2', undefined]);
    for (let i = 0; i < 510; i++) putPlan(store, `p${i}`, `${i}`);
    expect([getPlan(store, 'p509'), getPlan(store, 'p10'), getPlan(store, 'p9')]).toEqual([
      '509',
      '10',
      undefined,
    ]);
    putValue(store, 'n', 'v');
    expect(getValue(store, 'n')).toBe('v');
    putValue(store, 'n', undefined);
    expect(getValue(store, 'n')).toBeUndefined();
  });
});

describe('claims and leases', () => {
  test("a claim is one lease's until it is given back or its holder is dead", () => {
    const store = newStore();
    const mine = startLease(store);
    const other = startLease(store);
    expect(claim(store, 'k', mine)).toEqual({ mine: true });
    expect(claim(store, 'k', mine)).toEqual({ mine: true });
    expect(claim(store, 'k', other)).toEqual({ mine: false, holder: mine });
    release(store, 'k', other);
    expect(claimHolder(store, 'k')).toBe(mine);
    release(store, 'k', mine);
    expect(claim(store, 'k', other)).toEqual({ mine: true });
    endLease(store, other);
    const dead = deadLease(store);
    claim(store, 'k', dead);
    expect(claim(store, 'k', mine)).toEqual({ mine: true });
  });

  test('the lock of a worker speaks for its dead front', () => {
    const store = newStore();
    const lease = deadLease(store);
    expect(isLeaseAlive(store, lease)).toBe(false);
    expect(isLeaseAlive(store, lease, () => true)).toBe(true);
    expect(endDeadLeases(store, (path) => path.endsWith(lease))).toEqual([]);
    expect(endDeadLeases(store, () => false)).toEqual([lease]);
  });

  test('what a dead process left is found, and goes', async () => {
    const store = newStore();
    const live = startLease(store);
    const lease = deadLease(store);
    const layer = makeLayer(store, lease, { a: 'a' });
    const half = allocateLayer(store, lease);
    fs.mkdirSync(layerDirectory(store.root, half));
    fs.mkdirSync(activePath(store.root, lease, '1'));
    fs.writeFileSync(temporaryPath(store.root, lease, 'blob'), 'x');
    fs.writeFileSync(temporaryPath(store.root, live, 'blob'), 'x');
    const digest = putBlob(store, lease, Buffer.from('blob'));
    expect(checkIndex(store).map((finding) => finding.code)).toEqual(['DEAD_LEASE', 'UNFINISHED']);
    const swept = sweep(store);
    expect(swept).toEqual([`layers/${layer.id}`, `layers/${half}`, `tmp/${lease}.blob`, `active/${lease}.1`]);
    expect(blobSize(store, digest)).toBeUndefined();
    expect(fs.readdirSync(join(store.root, 'tmp'))).toEqual([`${live}.blob`]);
    expect(checkIndex(store)).toEqual([]);
    expect(await checkLayers(store.root, live, layerChecks(store))).toEqual([]);
  });
});

test('listings of layers that are gone go after a while', () => {
  const store = newStore();
  const layer = makeLayer(store, startLease(store), { a: 'a' });
  for (const [diffId, time] of [
    [layer.diffId, 1],
    [GHOST, 1],
    [`sha256:${'e'.repeat(64)}`, Date.now() / 1000],
  ] as const) {
    fs.writeFileSync(listingPath(store.root, diffId), '');
    fs.utimesSync(listingPath(store.root, diffId), time, time);
  }
  sweep(store);
  expect(fs.readdirSync(join(store.root, 'listings')).sort()).toEqual(
    [layer.diffId.slice(7), 'e'.repeat(64)].sort(),
  );
});

describe('blobs', () => {
  test('are put once, verified, and kept by leases', () => {
    const store = newStore();
    const lease = startLease(store);
    const second = startLease(store);
    const digest = putBlob(store, lease, Buffer.from('hello'));
    expect(digest).toBe('sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
    const file = temporaryPath(store.root, second, 'b');
    fs.writeFileSync(file, 'hello');
    adoptBlob(store, second, { path: file, digest }, { verify: true });
    expect(fs.existsSync(file)).toBe(false);
    fs.writeFileSync(file, 'other');
    expect(outcome(() => adoptBlob(store, second, { path: file, digest }, { verify: true }))).toMatch(
      /^corrupt DIGEST_MISMATCH/,
    );
    expect(outcome(() => blobSize(store, 'sha256:../../x'))).toMatch(/^invalid DIGEST_INVALID/);
    endLease(store, lease);
    sweep(store);
    expect(blobSize(store, digest)).toBe(5);
    endLease(store, second);
    sweep(store);
    expect(blobSize(store, digest)).toBeUndefined();
  });
});

describeWith({ needs: [root()] }, 'system check', () => {
  test('finds every kind of damage', async () => {
    const store = newStore();
    const lease = startLease(store);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => makeLayer(store, lease, { [name]: name.repeat(9) }));
    const id = makeImage(store, [a!, b!]);
    step(store, 'k', c);
    const blob = putBlob(store, lease, Buffer.from('blob'));
    const all = async () => [
      ...checkIndex(store),
      ...(await checkLayers(store.root, lease, layerChecks(store))),
    ];
    expect(await all()).toEqual([]);
    fs.writeFileSync(join(layerDirectory(store.root, a!.id), 'a'), 'tampered!');
    fs.utimesSync(join(layerDirectory(store.root, a!.id), 'a'), 1_700_000_000, 1_700_000_000);
    fs.rmSync(layerDirectory(store.root, b!.id), { recursive: true });
    fs.writeFileSync(blobPath(store.root, blob), 'bloc');
    fs.mkdirSync(join(store.root, 'layers', 'zz'));
    fs.writeFileSync(join(store.root, 'layers', 'x.y'), '');
    fs.writeFileSync(join(store.root, 'tmp', 'junk'), '');
    const ghost = join(store.root, 'blobs', 'sha256', 'ff');
    fs.mkdirSync(ghost);
    fs.writeFileSync(join(ghost, 'f'.repeat(64)), '');
    store.database.execute('PRAGMA foreign_keys = OFF');
    store.database.run("UPDATE images SET config = CAST('{}' AS BLOB) WHERE id = ?", id);
    store.database.run("UPDATE steps SET diff_id = 'x'");
    store.database.run("INSERT INTO tags VALUES ('docker.io/library/x:1', 'nothing')");
    const findings = (await all()).map(({ code, message }) => `${code}: ${message}`);
    expect(findings.join('\n').replaceAll(store.root, 'ROOT').replaceAll(id, 'ID')).toMatchInlineSnapshot(`
      "INDEX_DAMAGED: a row of tags points at a row of images that is not there
      IMAGE_DAMAGED: image ID: image config.rootfs is not an object
      STEP_DAMAGED: the record of step k names a layer that is not there
      LAYER_MISSING: layer 2 has no directory
      BLOB_DAMAGED: blob sha256:fa2c8cc4f28176bbeed4b736df569a34c79cd3723e9ec42f9674b4d46ac6b8b8 has the digest sha256:e98d940a1fdd9da7dce10091dedc464c248a9e5707885809b7a142a1da72a277
      STRAY: blob sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff belongs to nothing
      STRAY: tmp/junk belongs to nothing
      STRAY: layers/x.y belongs to nothing
      STRAY: layers/zz belongs to nothing
      LAYER_DAMAGED: layer 1: it has the digest sha256:81b0efce19331fa5b9c5589cb602385af2e8009485b56fdb8ac295516d013a6b, recorded is sha256:d7a9784eefac2b1ca7b29f4297154d913e49eb7d158df7b95fb81a018cd7dec7
      LAYER_DAMAGED: layer 2: ENOENT: no such file or directory, lstat 'ROOT/layers/2'"
    `);
    sweep(store);
    expect((await all()).filter((finding) => finding.code === 'STRAY')).toEqual([]);
  });
});

describe('deleting trees', () => {
  test('links are not followed, deep trees and odd names go', () => {
    const dir = tempDir();
    const outside = join(dir, 'outside');
    fs.mkdirSync(outside);
    fs.writeFileSync(join(outside, 'keep'), '');
    const tree = join(dir, 'tree');
    fs.mkdirSync(tree);
    fs.symlinkSync(outside, join(tree, 'link'));
    fs.mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]));
    // Deeper than one path can name.
    let at = tree;
    for (let i = 0; i < 150; i++) {
      at = join(at, 'd'.repeat(20));
      fs.mkdirSync(at);
    }
    expect(deleteTree(tree)).toBeGreaterThan(150);
    expect(fs.existsSync(tree)).toBe(false);
    expect(fs.readdirSync(outside)).toEqual(['keep']);
    expect(deleteTree(tree)).toBe(1);
  });
});
