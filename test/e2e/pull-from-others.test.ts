import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPeer } from '../../tools/peers.ts';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, peer, program, root } from '../support/need.ts';
import { runSlipway, slipway } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

describeWith(
  { needs: [...REGISTRY_NEEDS, program('skopeo'), root()] },
  'images that skopeo has pushed',
  () => {
    const store = suiteStore();
    const shared = suiteFolder('shared');
    const registry = testRegistry();
    const fresh = (name: string): string => join(shared.path, name);

    test.each([
      ['schema 2', ['--format=v2s2']],
      ['OCI', ['--format=oci']],
      ['OCI with zstd', ['--format=oci', '--dest-compress-format=zstd']],
    ])('%s: pulled with the same digest, run, and built upon', async (form, flags) => {
      const archive = join(shared.path, `${form}.tar`);
      await store.ok(['save', '-o', archive, BASE_IMAGE]);
      const image = `${registry.host}/from-skopeo:${form.toLowerCase().replaceAll(' ', '-')}`;
      const copy = ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false', ...flags];
      execFileSync('skopeo', [...copy, `docker-archive:${archive}`, `docker://${image}`]);
      const digest = execFileSync(
        'skopeo',
        ['inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${image}`],
        { encoding: 'utf8' },
      ).trim();
      const where = { root: fresh(form), cwd: shared.path };
      const said = await slipway(['pull', image], where);
      expect(
        said
          .replaceAll(/[0-9a-f]{12}:/g, 'LAYER:')
          .replaceAll(image, 'IMAGE')
          .split('\n')
          .slice(1),
      ).toEqual([
        'LAYER: Pulling fs layer',
        'LAYER: Verifying Checksum',
        'LAYER: Download complete',
        'LAYER: Pull complete',
        `Digest: ${digest}`,
        'Status: Downloaded newer image for IMAGE',
        'IMAGE',
        '',
      ]);
      expect(await slipway(['pull', image], where)).toContain(`Status: Image is up to date for ${image}\n`);
      expect(await slipway(['pull', '-q', image], where)).toBe(`${image}\n`);
      expect(await slipway(['run', '--rm', image, 'echo', 'it runs'], where)).toBe('it runs\n');
      const context = store.context(form, { Dockerfile: `FROM ${image}\nRUN echo built > /built\n` });
      await slipway(['build', '-q', '-t', 'built', context], where);
      expect(await slipway(['run', '--rm', 'built', 'cat', '/built'], where)).toBe('built\n');
    });

    test('errors in the words of Docker', async () => {
      const where = { root: fresh('errors'), cwd: shared.path };
      const image = `${registry.host}/none`;
      const failed = async (...args: string[]): Promise<string> => {
        const { stderr, exitCode } = await runSlipway(['pull', ...args], where);
        expect(exitCode).toBe(1);
        return stderr.replaceAll(registry.host, 'HOST');
      };
      expect(await failed(image)).toBe(
        'Error: manifest for HOST/none:latest not found: manifest unknown: manifest unknown\n',
      );
      expect(await failed('-a', image)).toContain('name unknown: repository name not known to registry');
      expect(await failed('127.0.0.1:1/x')).toContain('dial tcp 127.0.0.1:1: connect: connection refused');
      expect(await failed('Upper')).toContain(
        'invalid reference format: repository name (library/Upper) must be lowercase',
      );
    });
  },
);

describeWith({ needs: [...REGISTRY_NEEDS, root(), peer('docker')] }, 'images that Docker has pushed', () => {
  const shared = suiteFolder('shared');
  const registry = testRegistry();
  const store = suiteStore();
  let docker: (...args: string[]) => string;
  let image = '';
  beforeAll(() => {
    const found = findPeer('docker');
    if ('missing' in found) throw new Error(found.missing);
    const [file, ...words] = found.command;
    docker = (...args) => execFileSync(file!, [...words, ...args], { env: found.env, encoding: 'utf8' });
    image = `${registry.host}/from-docker:one`;
  });
  afterAll(() => {
    if (image !== '') docker('rmi', '-f', image);
  });

  test('have the same id and digest here, and run', async () => {
    const archive = join(shared.path, 'base.tar');
    await store.ok(['tag', BASE_IMAGE, image]);
    await store.ok(['save', '-o', archive, image]);
    docker('load', '-i', archive);
    const digest = /digest: (sha256:\S+)/.exec(docker('push', image))![1];
    const id = docker('inspect', '--format', '{{.Id}}', image).trim();
    const where = { root: join(shared.path, 'store'), cwd: shared.path };
    expect(await slipway(['pull', image], where)).toContain(`Digest: ${digest}\n`);
    expect((await slipway(['inspect', '--format', '{{.Id}}', image], where)).trim()).toBe(id);
    expect(await slipway(['run', '--rm', image, 'echo', 'it runs'], where)).toBe('it runs\n');
  });
});
