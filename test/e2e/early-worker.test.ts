import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { leftovers } from '../support/leftovers.ts';
import { ended, startSlipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const FROM = `FROM ${BASE_IMAGE}\n`;

/** What a worker that starts while its command is loaded must not change: what comes of the command, and that it ends. */
describe('a worker that starts early', () => {
  const store = suiteStore();
  const build = (context: string, ...flags: string[]) =>
    store.run(['build', '--no-cache', ...flags, context], { cwd: context });

  it('does what one does that starts when a step needs it', async () => {
    const context = store.context('used', { Dockerfile: `${FROM}RUN echo made > /made\n` });
    expect(await build(context, '-t', 'test/early')).toMatchObject({ exitCode: 0 });
    const seen = await store.run(['run', '--rm', '-i', 'test/early', 'cat', '/made', '-'], {
      cwd: context,
      input: 'and read\n',
    });
    expect(seen).toMatchObject({ exitCode: 0, stdout: 'made\nand read\n' });
    expect(leftovers(context)).toEqual([]);
  });

  it.each([
    { what: 'a flag that is wrong', args: ['build', '--no-cache', '--bogus', '.'], exitCode: 125 },
    { what: 'help', args: ['build', '--no-cache', '--help'], exitCode: 0 },
    { what: 'no argument', args: ['build', '--no-cache'], exitCode: 1 },
    { what: 'a context that is missing', args: ['build', '--no-cache', 'missing'], exitCode: 1 },
    { what: 'a file that is wrong', args: ['build', '--no-cache', '-f', 'wrong', '.'], exitCode: 1 },
    { what: 'nothing to run', args: ['build', '--no-cache', '-f', 'labels', '.'], exitCode: 0 },
    { what: 'an image that is missing', args: ['run', 'test/missing', 'true'], exitCode: 125 },
    { what: 'an image name that is wrong', args: ['run', 'UPPER', 'true'], exitCode: 125 },
    { what: 'a flag of run that is wrong', args: ['run', '--bogus', BASE_IMAGE], exitCode: 125 },
  ])('is gone when it was started for nothing: $what', async ({ what, args, exitCode }) => {
    const context = store.context(what.replaceAll(' ', '-'), {
      Dockerfile: `${FROM}RUN true\n`,
      labels: `${FROM}LABEL a=b\n`,
      wrong: `${FROM}RNU true\n`,
    });
    const result = await store.run(args, { cwd: context });
    expect(leftovers(context)).toEqual([]);
    expect(result).toMatchObject({ exitCode });
  });

  it('stands back where the worker has to be another one', async () => {
    const context = store.context('other', { Dockerfile: `${FROM}RUN echo made > /made\n` });
    const { exitCode, stdout } = await build(context, '-o', 'type=tar,dest=-');
    expect({ exitCode, tar: stdout.includes('ustar') }).toEqual({ exitCode: 0, tar: true });
    expect(leftovers(context)).toEqual([]);
  });

  it('ends with its command, whenever that is interrupted', async () => {
    const context = store.context('interrupted', { Dockerfile: `${FROM}RUN true\n` });
    for (let ms = 20; ms <= 200; ms += 15) {
      const child = startSlipway(['build', '--no-cache', context], {
        root: store.root,
        cwd: context,
        detached: true,
      });
      const result = ended(child);
      await delay(ms);
      if (child.exitCode === null) process.kill(-child.pid!, ms % 2 === 0 ? 'SIGINT' : 'SIGKILL');
      await result;
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
      await expect.poll(() => leftovers(context), { timeout: 2_000, interval: 20 }).toEqual([]);
    }
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
  });
});
