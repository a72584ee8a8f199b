import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { ImageConfig } from '../../src/image/types.ts';
import { describeWith, program } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE}
ENV KEPT=1 DROPPED=2
RUN mkdir -p /d/sub && echo one > /d/one && echo two > /d/two && ln /d/one /d/linked && touch /d/sub/x
RUN rm /d/two && rm -r /d/sub && mkdir /d/sub && echo y > /d/sub/y
COPY file /file
LABEL mine=1
`;

interface Manifest {
  mediaType: string;
  annotations?: Record<string, string>;
  config: { mediaType: string; digest: string };
  layers: { mediaType: string; digest: string }[];
}

describeWith({ needs: [program('skopeo'), program('umoci')] }, 'outputs of build, read by others', () => {
  const store = suiteStore();
  let context: string;
  let out: string;

  beforeAll(() => {
    context = store.context('outputs', { Dockerfile: DOCKERFILE, file: 'content\n' });
    out = join(context, '../written');
    mkdirSync(out);
  });

  const build = (...flags: string[]): Promise<string> =>
    store.ok(['build', '--progress=plain', ...flags, context]);
  const skopeo = (...args: string[]): string => execFileSync('skopeo', args, { encoding: 'utf8' });
  const manifestOf = (source: string): Manifest => JSON.parse(skopeo('inspect', '--raw', source)) as Manifest;

  it.each([
    ['oci', '', 'oci-archive', 'application/vnd.oci.image', 'layer.v1.tar'],
    [
      'oci',
      ',compression=gzip,compression-level=1',
      'oci-archive',
      'application/vnd.oci.image',
      'layer.v1.tar+gzip',
    ],
    [
      'oci',
      ',compression=zstd,compression-level=3',
      'oci-archive',
      'application/vnd.oci.image',
      'layer.v1.tar+zstd',
    ],
    [
      'oci',
      ',compression=gzip,force-compression=true,oci-mediatypes=false',
      'oci-archive',
      'application/vnd.docker',
      'rootfs.diff.tar.gzip',
    ],
    ['docker', ',compression=gzip', 'docker-archive', undefined, undefined],
    ['docker', ',oci-mediatypes=false', 'docker-archive', undefined, undefined],
    ['docker', ',compression=gzip,tar=false', 'oci', 'application/vnd.docker', 'rootfs.diff.tar.gzip'],
  ])('type=%s%s', async (type, keys, transport, family, layer) => {
    const dest = join(out, `${type}${keys.replaceAll(/[^a-z0-9]/g, '')}`);
    await build('-t', 'outputs/a:1', '-o', `type=${type},dest=${dest}${keys}`);
    const { layers, config } = JSON.parse(
      skopeo('inspect', '--config', `${transport}:${dest}`)
        .replace(/^/, '{"config":')
        .concat(',"layers":[]}'),
    ) as { layers: []; config: { rootfs: { diff_ids: string[] } } };
    expect(layers).toEqual([]);
    expect(config.rootfs.diff_ids).toHaveLength(4);
    // Copying reads and verifies every blob, and its diffID.
    skopeo('copy', '--quiet', `${transport}:${dest}`, `dir:${dest}.copy`);
    if (family === undefined) return;
    const manifest = manifestOf(`${transport}:${dest}`);
    expect(manifest.mediaType).toContain(family);
    expect(manifest.config.mediaType).toContain(family);
    expect(manifest.layers.every(({ mediaType }) => mediaType.endsWith(layer!))).toBe(true);
  });

  it('annotations stand in the manifest and in its descriptor, and stay with an image of the store', async () => {
    const dest = join(out, 'annotated');
    await build(
      ...['-t', 'outputs/annotated:1', '--annotation', 'a=1', '--annotation', 'manifest-descriptor:b=2'],
      ...[
        '-o',
        'type=image',
        '-o',
        `type=oci,tar=false,dest=${dest},annotation.c=3,annotation-manifest-descriptor.D=4`,
      ],
    );
    const index = JSON.parse(readFileSync(join(dest, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    expect(index.manifests[0]!.annotations).toMatchObject({ b: '2', D: '4' });
    expect(manifestOf(`oci:${dest}`).annotations).toEqual({ a: '1', c: '3' });
    await store.ok(['save', '-o', join(out, 'saved.tar'), 'outputs/annotated:1']);
    execFileSync('tar', ['-C', out, '-xf', join(out, 'saved.tar')]);
    const saved = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as typeof index;
    expect(saved.manifests[0]!.annotations).toMatchObject({ b: '2' });
    const digest = saved.manifests[0]!.digest.replace(':', '/');
    expect((JSON.parse(readFileSync(join(out, 'blobs', digest), 'utf8')) as Manifest).annotations).toEqual({
      a: '1',
    });
  });

  it('--metadata-file names what was made', async () => {
    const file = join(out, 'metadata.json');
    const read = (): Record<string, unknown> =>
      JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    await build('--metadata-file', file, '-t', 'outputs/m:1', '-t', 'outputs/n');
    const [{ Id: id }] = JSON.parse(await store.ok(['inspect', 'outputs/m:1'])) as [{ Id: string }];
    const {
      'buildx.build.ref': ref,
      'containerimage.config.digest': config,
      'containerimage.digest': digest,
      'image.name': name,
      ...rest
    } = read();
    expect({ config, digest, name, rest }).toEqual({
      config: id,
      digest: id,
      name: 'docker.io/outputs/m:1,docker.io/outputs/n:latest',
      rest: {},
    });
    expect(ref).toMatch(/^default\/default\/[0-9a-f]{12}$/);
    const built = String(ref).split('/')[2]!;
    expect(await store.ok(['builds', 'ls', '-q'])).toContain(built);
    const split = ['--build-arg', 'BUILDKIT_MULTI_PLATFORM=1'];
    await build('--metadata-file', file, ...split, '-o', `type=local,dest=${join(out, 'split')}`);
    expect(readdirSync(join(out, 'split'))).toEqual([expect.stringMatching(/^linux_[a-z0-9_]+$/)]);
    await build(...split, '-o', `type=local,platform-split=false,dest=${join(out, 'whole')}`);
    expect(readdirSync(join(out, 'whole'))).toContain('etc');
    expect(Object.keys(read())).toEqual(['buildx.build.ref']);
    const dest = join(out, 'described');
    await build('--metadata-file', file, '-o', `type=oci,tar=false,dest=${dest}`);
    const index = JSON.parse(readFileSync(join(dest, 'index.json'), 'utf8')) as {
      manifests: { mediaType: string; digest: string; size: number }[];
    };
    const [{ mediaType, digest: manifest, size }] = index.manifests as [(typeof index.manifests)[0]];
    const blob = (of: string): Buffer => readFileSync(join(dest, 'blobs', of.replace(':', '/')));
    const { config: image } = JSON.parse(blob(manifest).toString()) as { config: { digest: string } };
    const { created, os, architecture } = JSON.parse(blob(image.digest).toString()) as ImageConfig;
    expect(read()).toEqual({
      'buildx.build.ref': expect.stringMatching(/^default\/default\/[0-9a-f]{12}$/),
      'containerimage.config.digest': image.digest,
      'containerimage.digest': manifest,
      'containerimage.descriptor': {
        mediaType,
        digest: manifest,
        size,
        annotations: { 'config.digest': image.digest, 'org.opencontainers.image.created': created },
        platform: { architecture, os },
      },
    });
    const failed = await store.run(['build', '--metadata-file', '/no/such/file', context]);
    expect(failed.stderr).toContain('the metadata file cannot be written to /no/such/file');
    expect(failed.exitCode).toBe(1);
  });

  it('local: mode=delete makes an exact mirror where it may, platform-split a folder', async () => {
    const dest = join(out, 'mirror');
    mkdirSync(join(dest, 'etc/old'), { recursive: true });
    writeFileSync(join(dest, 'stray'), '');
    const refused = await store.run(['build', '-o', `type=local,mode=delete,dest=${dest}`, context]);
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.stderr).toContain(
      'ERROR: failed to build: failed to solve: buildx.local.delete is not allowed',
    );
    expect(existsSync(join(dest, 'stray'))).toBe(true);
    await build('--allow', 'buildx.local.delete', '-o', `type=local,mode=delete,dest=${dest}`);
    expect(existsSync(join(dest, 'stray'))).toBe(false);
    expect(existsSync(join(dest, 'etc/old'))).toBe(false);
    expect(readdirSync(join(dest, 'd')).sort()).toEqual(['linked', 'one', 'sub']);
    await build('-o', `type=local,platform-split=true,dest=${dest}`);
    const name = `linux_${process.arch === 'x64' ? 'amd64' : 'arm64'}`;
    expect(readFileSync(join(dest, name, 'file'), 'utf8')).toBe('content\n');
  });

  it('store=false keeps an image out of the store', async () => {
    await build('-t', 'outputs/none', '-o', 'type=image,store=false');
    expect((await store.run(['inspect', 'outputs/none'])).exitCode).toBe(1);
    await build('-o', 'type=image,"name=outputs/x:1,outputs/y:1",unpack=true,push=false');
    for (const name of ['outputs/x:1', 'outputs/y:1']) await store.ok(['inspect', name]);
  });

  it.each([
    ['--squash', 2],
    ['--squash-all', 1],
  ])('%s: %i layers, with the same files', async (flag, layers) => {
    const plain = join(out, `plain${flag}`);
    const squashed = join(out, `squashed${flag}`);
    await build('-o', `type=local,dest=${plain}`);
    await build(flag, '-t', `outputs/squashed:${layers}`, '-o', `type=oci,tar=false,dest=${squashed}`);
    expect(manifestOf(`oci:${squashed}`).layers).toHaveLength(layers);
    execFileSync('umoci', ['unpack', '--rootless', '--image', `${squashed}:${layers}`, `${squashed}.bundle`]);
    const list = (root: string): string =>
      execFileSync(
        'bash',
        [
          '-c',
          `cd "$0" && find . -mindepth 1 -printf '%p %y %m %T@ %n %l\\n' | sort && find d file -type f -exec sha256sum {} +`,
          root,
        ],
        { encoding: 'utf8' },
      );
    expect(list(join(`${squashed}.bundle`, 'rootfs'))).toBe(list(plain));
    const id = async (...flags: string[]): Promise<string> => (await build('-q', ...flags)).trim();
    // The result is remembered as that of a step.
    expect(await id(flag, '--progress=quiet')).toBe(await id(flag, '--progress=quiet'));
    const history = await store.ok(['history', `outputs/squashed:${layers}`]);
    expect(history.split('\n')[1]).toContain('slipway: squashed layers');
  });

  it('--timestamp, --unsetenv, --unsetlabel and --build-arg-file', async () => {
    const files = store.context('more', {
      Dockerfile: `FROM outputs/x:1\nARG A B C\nRUN echo $A $B $C $DROPPED > /args\n`,
      args: '# of the file\n\nA=file a\nB=file b\n',
    });
    const flags = ['--build-arg-file', join(files, 'args'), '--build-arg', 'B=line b', '--build-arg', 'C=c'];
    const more = [
      '--timestamp',
      '1000000000',
      '--unsetenv',
      'DROPPED',
      '--unsetlabel',
      'mine',
      '--label',
      'x=y',
    ];
    await store.ok(['build', '-t', 'outputs/more', ...flags, ...more, files]);
    expect(await store.ok(['run', 'outputs/more', 'cat', '/args'])).toBe('file a line b c 2\n');
    const [image] = JSON.parse(await store.ok(['inspect', 'outputs/more'])) as [
      { Created: string; Config: { Env: string[]; Labels: Record<string, string> } },
    ];
    expect(image.Created).toBe('2001-09-09T01:46:40Z');
    expect(image.Config.Env.map((entry) => entry.split('=')[0]).sort()).toEqual(['KEPT', 'PATH']);
    expect(image.Config.Labels).toEqual({ x: 'y' });
    const tar = join(out, 'more.tar');
    await store.ok(['build', '-o', `type=tar,dest=${tar}`, ...flags, ...more, files]);
    expect(execFileSync('tar', ['--utc', '-tvf', tar, 'args'], { encoding: 'utf8' })).toContain(
      '2001-09-09 01:46',
    );
    const bad = await store.run(['build', '--timestamp=1', '--build-arg', 'SOURCE_DATE_EPOCH=2', files]);
    expect(bad.stderr).toContain('--timestamp and the build argument SOURCE_DATE_EPOCH exclude each other');
    writeFileSync(join(files, 'args'), 'A=1\nnothing\n');
    const wrong = await store.run(['build', ...flags, files]);
    expect(wrong.stderr).toContain('args, line 2: expected key=value, got nothing');
  });

  it('rewrite-timestamp=false leaves files alone', async () => {
    const dest = join(out, 'times');
    const env = { SOURCE_DATE_EPOCH: '1000000000' };
    await store.ok(['build', '-o', `type=local,dest=${dest},rewrite-timestamp=false`, context], { env });
    const time = (): number =>
      Number(execFileSync('stat', ['-c', '%Y', join(dest, 'd/one')], { encoding: 'utf8' }));
    expect(time()).toBeGreaterThan(1_500_000_000);
    await store.ok(['build', '-o', `type=local,dest=${dest}`, context], { env });
    expect(time()).toBeGreaterThan(1_500_000_000);
  });
});
