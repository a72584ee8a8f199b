import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const PLATFORMS = ['--platform', 'linux/amd64,linux/arm64', '--platform', 'linux/arm/v7'];
const FOLDERS = ['linux_amd64', 'linux_arm64', 'linux_arm_v7'];

const DOCKERFILE = `FROM --platform=$BUILDPLATFORM ${BASE_IMAGE} AS build
RUN echo shared > /shared
FROM build AS cross
ARG TARGETARCH TARGETVARIANT
RUN echo $TARGETARCH$TARGETVARIANT > /arch
FROM scratch
COPY --from=build /shared /shared
COPY --from=cross /arch /arch
`;

interface Descriptor {
  mediaType: string;
  digest: string;
  platform: { os: string; architecture: string; variant?: string };
  annotations?: Record<string, string>;
}

describeWith({ needs: [...REGISTRY_NEEDS, program('skopeo')] }, 'several platforms in one build', () => {
  const store = suiteStore();
  const folder = suiteFolder('shared');
  const registry = testRegistry();
  let context = '';
  let log = '';
  const name = (): string => `${registry.host}/plat/app:1`;
  const ok = async (...args: string[]): Promise<string> => store.ok(args);
  const fails = async (...args: string[]): Promise<string> => {
    const { exitCode, stderr } = await store.run(args);
    expect(exitCode).not.toBe(0);
    return stderr;
  };
  const raw = (reference: string): { manifests: Descriptor[]; annotations?: Record<string, string> } =>
    JSON.parse(
      execFileSync('skopeo', ['inspect', '--raw', '--tls-verify=false', reference], { encoding: 'utf8' }),
    );

  beforeAll(async () => {
    context = store.context('several', { Dockerfile: DOCKERFILE });
    const args = ['build', '--progress=plain', ...PLATFORMS, '-t', name(), '--annotation', 'index:a=b'];
    log = (await store.run([...args, '--metadata-file', join(folder.path, 'meta.json'), context])).stderr;
  });

  test('one plan: what is for no platform runs once, and labels say for which the others are', () => {
    const steps = log.match(/\[[^\]]*\] RUN .*/g) ?? [];
    expect([...new Set(steps)].sort()).toEqual([
      '[linux/amd64 build 2/2] RUN echo shared > /shared',
      '[linux/amd64 cross 1/1] RUN echo amd64 > /arch',
      '[linux/amd64->arm/v7 cross 1/1] RUN echo armv7 > /arch',
      '[linux/amd64->arm64 cross 1/1] RUN echo arm64 > /arch',
    ]);
  });

  test('the store has an index, of which names show the image for this machine', async () => {
    const [main] = JSON.parse(await ok('inspect', name()));
    expect(main.Manifests.map((one: { Descriptor: Descriptor }) => one.Descriptor.platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
      { architecture: 'arm', os: 'linux', variant: 'v7' },
    ]);
    const metadata = JSON.parse(readFileSync(join(folder.path, 'meta.json'), 'utf8'));
    expect(metadata['containerimage.digest']).toBe(main.Descriptor.digest);
    const [byId] = JSON.parse(await ok('inspect', main.Descriptor.digest));
    expect(byId).toEqual(main);
    const listed = await ok('images', '--format', '{{.Repository}}:{{.Tag}}');
    expect(listed.split('\n').filter((line) => line.includes('plat/app') || line.includes('none'))).toEqual([
      name(),
    ]);
  });

  test('a base is taken for the platform that FROM asks for', async () => {
    const on = store.context('on', { Dockerfile: `FROM ${name()}\n` });
    for (const [platform, text] of [
      ['linux/arm64', 'arm64'],
      ['linux/amd64', 'amd64'],
    ] as const) {
      const dest = join(folder.path, `on-${text}`);
      await store.ok(['build', '-q', '--platform', platform, '-o', dest, on]);
      expect(readFileSync(join(dest, 'arch'), 'utf8')).toBe(`${text}\n`);
    }
  });

  test('push, from the store and from a build, sends all images and then the index', async () => {
    const pushed = await ok('push', name());
    const index = raw(`docker://${name()}`);
    expect(pushed).toContain(': digest: sha256:');
    expect(index.annotations).toEqual({ a: 'b' });
    expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64', 'arm']);
    const built = `${registry.host}/plat/built:1`;
    const args = ['build', '-q', '--push', ...PLATFORMS, '-t', built, '--annotation', 'index:a=b'];
    await store.ok([...args, context]);
    expect(raw(`docker://${built}`)).toEqual(index);
    for (const { digest } of index.manifests) {
      const config = execFileSync(
        'skopeo',
        ['inspect', '--config', '--tls-verify=false', `docker://${registry.host}/plat/built@${digest}`],
        { encoding: 'utf8' },
      );
      expect(JSON.parse(config).rootfs.diff_ids).toHaveLength(2);
    }
  });

  test('files: a folder for each platform, one index in layouts and saved archives', async () => {
    const at = (file: string): string => join(folder.path, file);
    const outputs = ['type=local,dest=', 'type=tar,dest=', 'type=oci,dest='].map((text, index) => [
      '-o',
      text + at(['files', 'files.tar', 'oci.tar'][index]!),
    ]);
    await store.ok(['build', '-q', ...PLATFORMS, ...outputs.flat(), context]);
    for (const [index, arch] of ['amd64', 'arm64', 'armv7'].entries()) {
      const file = `${FOLDERS[index]}/arch`;
      expect(readFileSync(join(at('files'), file), 'utf8')).toBe(`${arch}\n`);
      const member = execFileSync('tar', ['-xOf', at('files.tar'), file], { encoding: 'utf8' });
      expect(member).toBe(`${arch}\n`);
    }
    expect(raw(`oci-archive:${at('oci.tar')}`).manifests).toHaveLength(3);
    await ok('save', '-o', at('saved.tar'), name());
    expect(raw(`oci-archive:${at('saved.tar')}`).manifests).toHaveLength(3);
    execFileSync('skopeo', ['inspect', `docker-archive:${at('saved.tar')}`]);
    expect(await fails('build', ...PLATFORMS, '-o', `type=docker,dest=${at('no.tar')}`, context)).toContain(
      'docker exporter does not support exporting manifest lists, use the oci exporter instead',
    );
    expect(existsSync(at('no.tar'))).toBe(false);
  });

  test('names come and go, and the images with the last', async () => {
    const [{ Manifests }] = JSON.parse(await ok('inspect', name()));
    const ids = Manifests.map((one: { ImageData: { Config: string } }) => one.ImageData.Config) as string[];
    await ok('tag', name(), 'plat/second:1');
    await ok('rmi', `${registry.host}/plat/built:1`);
    expect(await fails('rmi', ids[1]!)).toContain('must be forced');
    expect(await ok('rmi', name())).not.toContain('Deleted');
    const [second] = JSON.parse(await ok('inspect', 'plat/second:1'));
    expect(second.Manifests).toHaveLength(3);
    const removed = await ok('rmi', 'plat/second:1');
    for (const id of ids) expect(removed).toContain(`Deleted: ${id}`);
    expect(await ok('system', 'check')).toBe('The store is whole.\n');
  });

  test('what makes no sense is refused', async () => {
    expect(await fails('build', '--platform', 'linux/amd64,windows/amd64', context)).toContain(
      'cannot build for windows/amd64',
    );
    expect(
      await fails('build', ...PLATFORMS, '--annotation', 'manifest[linux/s390x]:a=b', context),
    ).toContain('no image is built for that platform');
    expect(await fails('build', '--annotation', 'index:a=b', context)).toContain(
      'index annotations not supported for single platform export',
    );
  });
});
