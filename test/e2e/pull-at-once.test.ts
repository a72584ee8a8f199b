import type { ChildProcess } from 'node:child_process';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/image/digest.ts';
import { proxiedRegistry } from '../registry/proxied-registry.ts';
import { type MadeImage, makeLayer, pushMade } from '../registry/remote-images.ts';
import { REGISTRY_NEEDS } from '../registry/servers.ts';
import { describeWith, program } from '../support/need.ts';
import { ended, slipway, startSlipway } from '../support/slipway.ts';

describeWith({ needs: [...REGISTRY_NEEDS, program('tar')] }, 'two pulls of one image at once', () => {
  const place = proxiedRegistry();
  const layerPath = /^\/v2\/[^/]+\/blobs\//;

  /** An image of three layers of which no byte comes before the gate is opened. */
  const closedGate = async (
    repository: string,
  ): Promise<{ image: MadeImage; open: () => void; fetched: () => number[] }> => {
    const layers = ['one', 'two', 'three'].map((name) =>
      makeLayer({ [`${repository}-${name}`]: name.repeat(9000) }),
    );
    const image = await pushMade(place.client, repository, layers, { tag: '1' });
    const { promise, resolve: open } = Promise.withResolvers<void>();
    place.proxy.gate = ({ url }) => (layerPath.test(url) && !url.endsWith(image.id) ? promise : undefined);
    const fetched = (): number[] =>
      layers.map(({ blob }) => place.proxy.log.filter((line) => line.endsWith(digestOf(blob))).length);
    return { image, open, fetched };
  };
  const start = (
    repository: string,
  ): { child: ChildProcess; end: ReturnType<typeof ended>; output: () => string } => {
    const child = startSlipway(['pull', `${place.proxy.host}/${repository}:1`], {
      root: place.root,
      cwd: place.folder,
    });
    let output = '';
    child.stdout!.on('data', (data: Buffer) => (output += data.toString()));
    return { child, end: ended(child), output: () => output };
  };
  const ids = async (): Promise<string> =>
    slipway(['images', '-q', '--no-trunc'], { root: place.root, cwd: place.folder });
  const waits = (output: () => string): Promise<void> =>
    expect.poll(() => output().match(/: Waiting$/gm)?.length, { timeout: 60_000 }).toBe(3);

  test('the second waits, and each layer is fetched once', async () => {
    const { image, open, fetched } = await closedGate('shared');
    const first = start('shared');
    await expect.poll(fetched, { timeout: 60_000 }).toEqual([1, 1, 1]);
    const second = start('shared');
    await waits(second.output);
    open();
    expect([(await first.end).exitCode, (await second.end).exitCode]).toEqual([0, 0]);
    expect(fetched()).toEqual([1, 1, 1]);
    expect(second.output().match(/: (?:Pulling fs layer|Waiting|Pull complete)$/gm)).toHaveLength(9);
    expect(await ids()).toBe(`${image.id}\n`);
  });

  test('it takes over where the first is killed', async () => {
    const { image, open, fetched } = await closedGate('killed');
    const first = start('killed');
    await expect.poll(fetched, { timeout: 60_000 }).toEqual([1, 1, 1]);
    const second = start('killed');
    await waits(second.output);
    first.child.kill('SIGKILL');
    await first.end;
    await expect.poll(fetched, { timeout: 60_000 }).toEqual([2, 2, 2]);
    open();
    expect((await second.end).exitCode).toBe(0);
    expect(await ids()).toBe(`${image.id}\n`);
    const check = await slipway(['system', 'check'], { root: place.root, cwd: place.folder });
    expect(check).toMatch(/^The store is whole/);
  });
});
