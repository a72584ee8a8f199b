import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program, root } from '../support/need.ts';
import { resultOf, startCommand, succeed } from './command.ts';
import { workerOf } from './processes.ts';
import { type Ground, makeGround } from './scenarios.ts';

/** Cgroups of all hierarchies that are named after one of these leases. */
function cgroupsOf(leases: readonly string[]): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4]!)
    .flatMap((mount) => readdirSync(mount).map((name) => join(mount, name)))
    .filter((path) => leases.some((lease) => path.endsWith(`slipway-${lease}`)));
}

describeWith({ needs: [root(), program('runc')] }, 'cgroups of containers', () => {
  const folder = suiteFolder('big');
  let ground: Ground | undefined;
  afterAll(() => ground?.store.close());

  /** Runs a container, `body` once it has a cgroup; gives the lease under which it ran. */
  async function whileRunning(seconds: number, body: (front: number) => void): Promise<string> {
    ground ??= await makeGround(folder.path);
    const { store, options } = ground;
    const child = startCommand(
      ['run', '--rm', '--runtime=runc', 'test/base', 'sleep', `${seconds}`],
      options,
    );
    const ended = resultOf(child);
    const lease = (): string => readdirSync(join(store.root, 'locks'))[0] ?? '';
    await expect.poll(() => cgroupsOf([lease()]), { timeout: 20_000, interval: 20 }).not.toEqual([]);
    const name = lease();
    body(child.pid!);
    await ended;
    return name;
  }

  it('go with the worker', async () => {
    const lease = await whileRunning(1, () => {});
    expect(cgroupsOf([lease])).toEqual([]);
  });

  it.each(['front', 'worker'] as const)('are cleared away after the %s was killed', async (victim) => {
    const lease = await whileRunning(
      20,
      (front) => void process.kill(victim === 'front' ? front : workerOf(front)!.worker, 'SIGKILL'),
    );
    await succeed(['system', 'check'], ground!.options);
    await succeed(['system', 'check'], ground!.options);
    expect(cgroupsOf([lease])).toEqual([]);
  });
});
