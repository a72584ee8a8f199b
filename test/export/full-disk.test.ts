import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeDockerArchive } from '../../src/export/docker-archive.ts';
import { writeRootfsDirectory } from '../../src/export/rootfs-directory.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { deleteGarbage } from '../../src/store/collect.ts';
import { collectGarbage, forgetGarbage } from '../../src/store/garbage.ts';
import { listImages } from '../../src/store/images.ts';
import { layerDirectory } from '../../src/store/layout.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { openStore } from '../../src/store/store.ts';
import { newStore, outcome, outcomeOf, tempDir } from '../store/support.ts';
import { describeWith, root } from '../support/need.ts';
import { load } from './load.ts';
import { exported, helloImage } from './support.ts';

describeWith({ needs: [root()] }, 'a full disk', () => {
  let small: string;
  const size = (megabytes: number) =>
    execFileSync('mount', ['-o', `remount,size=${megabytes}m`, small], { stdio: 'ignore' });
  beforeEach(() => {
    small = tempDir();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]);
  });
  afterEach(() => {
    execFileSync('umount', [small]);
  });

  function scene() {
    const store = newStore();
    helloImage(store, startLease(store), ['docker.io/library/hello:1']);
    return { store, images: exported(store, 'hello:1') };
  }

  test('while an image is loaded: nothing is named, and it works once there is room', async () => {
    const path = join(tempDir(), 'a.tar');
    await writeDockerArchive(scene().images, { kind: 'file', path });
    using store = openStore(join(small, 'store'));
    // Three megabytes of layer, and as much of its blob: the disk fills at different points.
    for (const megabytes of [2, 4, 5, 6]) {
      size(megabytes);
      const lease = startLease(store);
      expect(await outcomeOf(load(store, lease, { input: { kind: 'file', path } }))).toMatch(
        /^exhausted DISK_FULL: no space left/,
      );
      endLease(store, lease);
      expect(listImages(store)).toEqual([]);
      for (const folder of ['layers', 'tmp', 'blobs/sha256']) {
        expect(fs.readdirSync(join(store.root, folder)), folder).toEqual([]);
      }
      const garbage = collectGarbage(store);
      deleteGarbage(store.root, garbage);
      forgetGarbage(store, garbage.layers);
      expect(checkIndex(store)).toEqual([]);
    }
    size(20);
    const lease = startLease(store);
    expect(await load(store, lease, { input: { kind: 'file', path } })).toHaveLength(1);
    expect([...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))]).toEqual([]);
  });

  test('while an image is written', async () => {
    const { store, images } = scene();
    const path = join(small, 'a.tar');
    expect(await outcomeOf(writeDockerArchive(images, { kind: 'file', path }))).toBe(
      'exhausted DISK_FULL: no space left on the disk for the output',
    );
    expect(fs.readdirSync(small)).toEqual([]);
    expect(outcome(() => writeRootfsDirectory(layerDirectory(store.root, '1'), join(small, 'out')))).toBe(
      'exhausted DISK_FULL: no space left on the disk for the output',
    );
  });
});
