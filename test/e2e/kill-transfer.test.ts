import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith } from '../support/need.ts';
import { ended, runSlipway, slipway, startSlipway } from '../support/slipway.ts';
import { suiteStore } from '../support/suite-store.ts';

const RUNS = Number(process.env.SLIPWAY_TEST_KILL_RUNS ?? 4);
const WHOLE = 'The store is whole.\n';
/** What the dead left is cleared away by the check. */
const SOUND = /^The store is whole(?:\.|; \d+ leftovers of dead processes were cleared away\.)$/m;

describeWith({ needs: REGISTRY_NEEDS }, 'a pull or push that is killed at any moment', () => {
  const store = suiteStore();
  const folder = suiteFolder('big');
  const registry = testRegistry();
  const name = (): string => `${registry.host}/killed/app:1`;
  let id = '';

  beforeAll(async () => {
    const files: Record<string, string | Buffer> = {
      Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\nCOPY c /c\n',
    };
    for (const file of ['a', 'b', 'c']) files[file] = randomBytes(4 << 20);
    id = (await store.ok(['build', '-q', '-t', name(), store.context('killed', files)])).trim();
  });

  /** Kills the command after a while, unless it ends before. */
  const killed = async (args: readonly string[], root: string): Promise<void> => {
    const child = startSlipway(args, { root, cwd: folder.path });
    const end = ended(child);
    await Promise.race([pause(randomInt(40, 900)), end]);
    child.kill('SIGKILL');
    await end;
  };

  test('push: what the store has stays whole, and the next one brings all', async () => {
    for (let run = 0; run < RUNS; run++) {
      await killed(['push', name()], store.root);
      expect(await store.ok(['system', 'check'])).toMatch(SOUND);
    }
    await store.ok(['push', '-q', name()]);
  });

  test('pull: nothing half has a name, and the next one is right', async () => {
    const root = join(folder.path, 'pulls');
    const at = { root, cwd: folder.path };
    for (let run = 0; run < RUNS; run++) {
      await killed(['pull', name()], root);
      const { exitCode, stdout, stderr } = await runSlipway(['system', 'check'], at);
      expect({ exitCode, stdout, stderr }).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(SOUND) as string,
      });
    }
    await slipway(['pull', '-q', name()], at);
    expect((await slipway(['images', '-q', '--no-trunc'], at)).trim()).toBe(id);
    expect(await slipway(['system', 'check'], at)).toBe(WHOLE);
  });
});
