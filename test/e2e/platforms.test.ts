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

  test('loaded again they are one image with the same id, whole or in parts', async () => {
    const at = (file: string): string => join(folder.path, file);
    const other = join(folder.path, 'loaded');
    const inOther = (...args: string[]): Promise<string> => ok('--root', other, ...args);
    const format = '{{.Descriptor.digest}} {{len .Manifests}}';
    const whole = await ok('image', 'inspect', '-f', format, name());
    await store.ok([
      'build',
      '-q',
      ...PLATFORMS,
      '--annotation',
      'index:a=b',
      '-o',
      `type=oci,dest=${at('again.tar')},name=${name()}`,
      context,
    ]);
    await ok('push', name(), `oci:${at('layout')}:1`);
    for (const archive of ['saved.tar', 'again.tar']) {
      expect(await inOther('load', '-i', at(archive))).toBe(`Loaded image: ${name()}\n`);
      expect(await inOther('image', 'inspect', '-f', format, name())).toBe(whole);
      // It goes to a registry as it came, or as the first did where an archive says nothing of blobs.
      await inOther('push', '-q', name(), `docker://${registry.host}/plat/again:1`);
      const from = archive === 'saved.tar' ? `docker://${name()}` : `oci-archive:${at(archive)}`;
      expect(raw(`docker://${registry.host}/plat/again:1`)).toEqual(raw(from));
      await inOther('rmi', '-f', name());
    }
    const [id] = whole.split(' ');
    expect(await inOther('load', '-i', `oci:${at('layout')}:1`)).toMatch(/^Loaded image ID: sha256:/);
    await inOther('image', 'prune', '-f');

    const parts = async (...flags: string[]): Promise<string> => {
      await inOther('load', '-i', at('saved.tar'), ...flags);
      const shown = JSON.parse(await inOther('image', 'inspect', name()));
      return [shown[0].Architecture, shown[0].Manifests?.length ?? 'alone'].join(' ');
    };
    expect(await parts('--platform', 'linux/arm64')).toBe('arm64 alone');
    expect(await parts('--platform', 'linux/arm64,linux/arm/v7')).toBe('arm64 2');
    const none = await store.run(['--root', other, 'load', '-i', at('saved.tar'), '--platform', 's390x']);
    expect(none.stderr).toBe(
      'Error: the archive has no image for linux/s390x\nHint: It has linux/amd64, linux/arm64, linux/arm/v7. Choose one with --platform.\n',
    );
    expect(await ok('image', 'inspect', '-f', '{{.Descriptor.digest}}', name())).toBe(`${id}\n`);
  });

  test('commands take the image for one platform of several', async () => {
    const at = (file: string): string => join(folder.path, file);
    await ok('save', '--platform', 'linux/arm64', '-o', at('one.tar'), name());
    expect(
      JSON.parse(
        execFileSync('skopeo', ['inspect', '--config', `docker-archive:${at('one.tar')}`], {
          encoding: 'utf8',
        }),
      ),
    ).toMatchObject({ architecture: 'arm64' });
    await ok('save', '--platform', 'linux/arm64,linux/amd64', '-o', at('two.tar'), name());
    expect(
      raw(`oci-archive:${at('two.tar')}`).manifests.map(({ platform }) => platform.architecture),
    ).toEqual(['amd64', 'arm64']);
    const [one] = JSON.parse(await ok('image', 'inspect', '--platform', 'arm64', name()));
    expect([one.Architecture, one.Manifests]).toEqual(['arm64', undefined]);
    expect(await ok('history', '-q', '--no-trunc', '--platform', 'linux/arm64', name())).toContain(one.Id);
    const alone = `${registry.host}/plat/alone:1`;
    await ok('tag', name(), alone);
    await ok('push', '-q', '--platform', 'linux/arm64', alone);
    await ok('rmi', alone);
    expect(raw(`docker://${alone}`)).toMatchObject({ config: { digest: one.Id } });
    const without = `image with reference ${name()} was found but does not provide the specified platform (linux/s390x)`;
    for (const args of [['save', '-o', at('no.tar')], ['history'], ['push']])
      expect(await fails(...args, '--platform', 's390x', name())).toContain(without);

    const other = ['--root', join(folder.path, 'narrowed')];
    await ok(...other, 'load', '-q', '-i', at('saved.tar'));
    const left = async (): Promise<string[]> => {
      const [shown] = JSON.parse(await ok(...other, 'image', 'inspect', name()));
      return (shown.Manifests ?? [{ Descriptor: { platform: { architecture: shown.Architecture } } }]).map(
        (member: { Descriptor: Descriptor }) => member.Descriptor.platform.architecture,
      );
    };
    const rmi = [...other, 'rmi', name(), '--platform'];
    expect(await fails(...rmi, 'linux/arm64')).toContain('Use --force to force delete.');
    expect(await ok(...rmi, 'linux/arm64', '-f')).toContain(`Deleted: ${one.Id}`);
    expect(await left()).toEqual(['amd64', 'arm']);
    await ok(...rmi, 'linux/amd64', '-f');
    expect(await left()).toEqual(['arm']);
    expect(await ok(...rmi, 'linux/arm/v7', '-f')).toContain(`Untagged: ${name()}`);
    expect(await ok(...other, 'system', 'check')).toBe('The store is whole.\n');
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
