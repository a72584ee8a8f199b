import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OrdinaryUser, ordinaryUser, ownFolder } from '../rootless/ordinary-user.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program, root } from '../support/need.ts';
import { command, succeed } from './command.ts';
import { SmallDisk } from './disk.ts';
import { forget, type Ground, makeGround, type Scenario, stepKeys } from './scenarios.ts';

/** Room for everything that a scenario needs, several times over. */
const MEGABYTES = 256;
/** Fill levels per scenario: this part of what it needs is free. */
const LEVELS = [0, 0.02, 0.2, 0.5, 0.8];
const NAMES = ['copy', 'commit', 'import', 'load', 'save'];

describeWith({ needs: [root()] }, `a full disk at ${LEVELS.length * NAMES.length} points`, () => {
  const folder = suiteFolder('big');
  fillAt(LEVELS, () => ({ folder: folder.path }));
});

const users = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];

describeWith({ needs: users }, 'a full disk of a user with subordinate ids', () => {
  const user = ordinaryUser(['23000000:65536']);
  fillAt(LEVELS.slice(2, 3), () => ({ folder: ownFolder(user, 'full'), user }));
});

describeWith({ needs: users }, 'a full disk of a user with a single id', () => {
  const user = ordinaryUser([]);
  fillAt(LEVELS.slice(3, 4), () => ({ folder: ownFolder(user, 'full'), user }));
});

function fillAt(levels: number[], place: () => { folder: string; user?: OrdinaryUser }): void {
  const needed = new Map<string, number>();
  let disk: SmallDisk;
  let folder: string;
  let ground: Ground;

  const find = (name: string): Scenario => ground.scenarios.find((each) => each.name === name)!;

  beforeAll(async () => {
    const { user, ...rest } = place();
    ({ folder } = rest);
    disk = new SmallDisk(join(folder, 'disk'), { megabytes: MEGABYTES });
    if (user !== undefined) chownSync(disk.path, user.uid, user.uid);
    ground = await makeGround(folder, { disk: disk.path, user });
    // The second time counts: the index has grown to its size by then.
    for (const name of [...NAMES, ...NAMES]) {
      const before = await settled(disk, ground);
      await succeed(find(name).args, ground.options);
      needed.set(name, before - disk.free);
      forget(ground, find(name));
    }
  });
  afterAll(() => {
    ground?.store.close();
    disk?.unmount();
  });

  describe.each(NAMES)('%s', (name) => {
    it.each(levels)('with %d of the room that it needs', async (part) => {
      const scenario = find(name);
      await settled(disk, ground);
      disk.fill(Math.floor(needed.get(name)! * part));
      try {
        const failed = await command(scenario.args, ground.options);
        expect(failed.stderr).toMatch(/no space left/i);
        expect(failed.exitCode).toBe(1);
        expect(failed.stderr).not.toMatch(/^ {4}at /m);
        expect(scenario.visible()).toBeUndefined();
        const own = `mount at ${disk.path}`;
        expect(leftovers(folder).filter((line) => line.split(' (')[0] !== own)).toEqual([]);
        // Nothing stays beside the output either.
        expect(readdirSync(disk.path).sort()).toEqual(['filler', 'store']);
        const full = await command(['system', 'check'], ground.options);
        if (full.exitCode !== 0) expect(full.stderr + full.stdout).toMatch(/no space left/i);

        disk.empty();
        const checked = await command(['system', 'check'], ground.options);
        expect(checked.stderr + checked.stdout).toMatch(/^The store is whole/m);
        const kept = stepKeys(ground.store).length;
        const again = await command(scenario.args, ground.options);
        expect(again.exitCode, again.stderr).toBe(0);
        expect(kept).toBeLessThanOrEqual(scenario.steps);
        expect(scenario.visible()).toBeDefined();
      } finally {
        disk.empty();
        forget(ground, scenario);
      }
    });
  });
}

/** Lets the store clear away what is not needed; gives the bytes that are free then. */
async function settled(disk: SmallDisk, { options }: Ground): Promise<number> {
  disk.empty();
  await succeed(['system', 'check'], options);
  return disk.free;
}
