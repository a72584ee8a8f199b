import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { findPeer, type Peer } from '../../tools/peers.ts';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, peer } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const execute = promisify(execFile);

interface Inspected {
  Id: string;
}

/** Each pulls what we pushed, runs it, pushes it, and we push back what it pushed. */
function pushedTo(name: Peer, insecure: readonly string[]): void {
  const store = suiteStore();
  const folder = suiteFolder('shared');
  const registry = testRegistry();
  const pulled: string[] = [];
  const run = async (...args: string[]): Promise<string> => {
    const found = findPeer(name);
    if ('missing' in found) throw new Error(found.missing);
    const [file, ...words] = found.command;
    return (await execute(file, [...words, ...args], { env: found.env, maxBuffer: 1 << 24 })).stdout;
  };
  afterAll(async () => {
    if (pulled.length > 0) await run('rmi', '-f', ...pulled);
  });
  const options = () => ({ env: { HOME: folder.path } });

  test('it pulls and runs the image, which has the same id there', async () => {
    const image = `${registry.host}/slipway-test/peer:1`;
    const context = store.context('peer', {
      Dockerfile: `FROM ${BASE_IMAGE}\nCOPY file /file\nRUN rm /etc/group && mkdir /made\nCMD ["cat", "/file"]\n`,
      file: 'from slipway\n',
    });
    await store.ok(['build', '-q', '--push', '-t', image, context], options());
    await run('pull', ...insecure, image);
    pulled.push(image);
    const [ours] = JSON.parse(await store.ok(['image', 'inspect', image])) as Inspected[];
    // buildah gives one object, the engines a list.
    const [theirs] = [JSON.parse(await run('inspect', image))].flat() as {
      Id?: string;
      FromImageID?: string;
    }[];
    expect((theirs!.FromImageID ?? theirs!.Id)?.replace('sha256:', '')).toBe(ours!.Id.replace('sha256:', ''));
    if (name !== 'buildah') expect(await run('run', '--rm', '--network=none', image)).toBe('from slipway\n');
    const back = `${registry.host}/slipway-test/back:1`;
    await run('tag', image, back);
    pulled.push(back);
    await run('push', ...insecure, back);
    const raw = async (reference: string): Promise<{ config: { digest: string } }> =>
      JSON.parse(await store.ok(['imagetools', 'inspect', '--raw', reference], options()));
    // Engines write a manifest of their own; the image in it is ours.
    expect((await raw(back)).config.digest).toBe(ours!.Id);
  });
}

describeWith(
  { needs: [...REGISTRY_NEEDS, peer('docker')] },
  'pushed images pulled by a Docker engine',
  () => {
    pushedTo('docker', []);
  },
);

describeWith({ needs: [...REGISTRY_NEEDS, peer('podman')] }, 'pushed images pulled by podman', () => {
  pushedTo('podman', ['--tls-verify=false']);
});

describeWith({ needs: [...REGISTRY_NEEDS, peer('buildah')] }, 'pushed images pulled by buildah', () => {
  pushedTo('buildah', ['--tls-verify=false']);
});
