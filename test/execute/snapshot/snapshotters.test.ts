import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { chooseSnapshotter } from '../../../src/execute/snapshot/choose.ts';
import { copySnapshotter } from '../../../src/execute/snapshot/copy.ts';
import { overlaySnapshotter } from '../../../src/execute/snapshot/overlay.ts';
import type { Overrides } from '../../../src/layer/types.ts';
import { MNT_DETACH, MS_PRIVATE, MS_REC } from '../../../src/sys/constants.ts';
import { loadSys } from '../../../src/sys/linux.ts';
import { memoryFolder } from '../../../tools/memory-folder.ts';
import { describeWith, root } from '../../support/need.ts';
import { type SnapshotterUnderTest, snapshotterConformance } from '../snapshotter-conformance.ts';

const CLONE_NEWNS = 0x20000;

describeWith({ needs: [root()] }, 'snapshotters', () => {
  const sys = loadSys();
  const folders: string[] = [];
  const mounted: string[] = [];
  const folder = (): string => {
    const path = mkdtempSync(join(memoryFolder(), 'slipway-snap-'));
    folders.push(path);
    return path;
  };

  beforeAll(() => {
    // What is mounted here and left by a failing test goes with this process.
    sys.unshare(CLONE_NEWNS);
    sys.mount(null, '/', null, MS_REC | MS_PRIVATE);
  });
  afterEach(() => {
    for (const path of mounted.splice(0)) sys.umount(path, MNT_DETACH);
    for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
  });
  afterAll(() => process.chdir('/'));

  /** An overlay, on which no other can have its upper directory and no whiteout can be made. */
  const overlayFolder = (): string => {
    const path = folder();
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(path, name));
    for (const each of [lower!, upper!, work!, merged!]) mkdirSync(each);
    sys.mount('overlay', merged!, 'overlay', 0, `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
    mounted.push(merged!);
    return merged!;
  };

  const copies = (base: string, canMount: boolean): SnapshotterUnderTest => {
    const [layers, active] = [join(base, 'layers'), join(base, 'active')];
    for (const each of [layers, active]) mkdirSync(each);
    const recorded = new Map<string, Overrides>();
    const overridesOf = (layer: string) => recorded.get(layer);
    return {
      snapshotter: copySnapshotter({ sys, layers, active, userxattr: false, canMount, overridesOf }),
      layers,
      userxattr: false,
      record: (layer, overrides) => {
        if (overrides.size > 0) recorded.set(layer, overrides);
      },
    };
  };

  snapshotterConformance('overlay', () => {
    const base = folder();
    const [layers, active] = [join(base, 'layers'), join(base, 'active')];
    for (const each of [layers, active]) mkdirSync(each);
    const snapshotter = overlaySnapshotter({
      sys,
      layers,
      active,
      userNamespace: false,
      canBeVolatile: true,
    });
    return { snapshotter, layers, userxattr: false, record: () => {} };
  });
  snapshotterConformance('copy', () => copies(folder(), true));
  snapshotterConformance('copy, without mounts', () => copies(folder(), false));
  snapshotterConformance('copy, on an overlay', () => copies(overlayFolder(), true));

  describe('the choice', () => {
    const choose = (store: string, tier: 'root' | 'none' = 'root') => {
      const active = join(store, 'active');
      for (const name of ['active', 'layers', 'overrides']) mkdirSync(join(store, name), { recursive: true });
      const { snapshotter, reason } = chooseSnapshotter({ sys, store, active, tier, userNamespace: false });
      return `${snapshotter.name}: ${reason}`;
    };

    it('is overlayfs where it works', () => {
      expect(choose(folder())).toBe('overlay: the kernel mounts overlayfs on the file system of the store');
    });

    it('is copies on an overlay, also where the store is seen from elsewhere later', () => {
      const store = overlayFolder();
      expect(choose(store)).toMatch(
        /^copy: no overlayfs: the kernel does not mount it on the file system of the store \(E\w+\)$/,
      );
      expect(choose(join(store, '../upper'))).toBe(
        'copy: no overlayfs: the store was written where whiteouts could not be device nodes',
      );
    });

    it('is copies without mounts', () => {
      expect(choose(folder(), 'none')).toBe('copy: no overlayfs: --isolation=none mounts nothing');
    });
  });
});
