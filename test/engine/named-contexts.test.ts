import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { contextName, parseNamedContext } from '../../src/engine/sources/named-context.ts';
import { build } from '../../src/index.ts';
import { listImages } from '../../src/store/images.ts';
import { openStore } from '../../src/store/store.ts';
import { httpGit, makeRepository } from '../support/git.ts';
import { BASE, libraryStore } from '../support/library-store.ts';
import { describeWith, program } from '../support/need.ts';
import { webServer } from '../support/web-server.ts';

describe('the text of a named context', () => {
  it.each([
    ['dir', { kind: 'files', argument: 'dir' }],
    ['https://x/y.git#a:b', { kind: 'files', argument: 'https://x/y.git#a:b' }],
    ['docker-image://alpine', { kind: 'image', reference: 'docker.io/library/alpine:latest' }],
    ['docker-image://scratch', { kind: 'scratch' }],
    ['oci-layout://a/b', { kind: 'layout', path: 'a/b' }],
    ['oci-layout:///a/b:v1', { kind: 'layout', path: '/a/b', tag: 'v1' }],
    [
      `oci-layout://a@sha256:${'0'.repeat(64)}`,
      { kind: 'layout', path: 'a', digest: `sha256:${'0'.repeat(64)}` },
    ],
    ['target:../other', { kind: 'target', build: { context: '../other' } }],
    ['target:../other#stage', { kind: 'target', build: { context: '../other', target: 'stage' } }],
  ])('%s', (text, spec) => {
    expect(parseNamedContext('name', text)).toEqual(spec);
  });

  it.each(['', 'oci-layout://', 'oci-layout://a@sha256:1'])('%j makes no sense', (text) => {
    expect(() => parseNamedContext('name', text)).toThrow(/invalid/);
  });

  it.each([
    ['alpine', 'alpine'],
    ['alpine:latest', 'alpine'],
    ['docker.io/library/alpine:3', 'alpine:3'],
    ['Stage', 'stage'],
    ['base::arm64', 'base::linux/arm64'],
    ['base::linux/amd64', 'base::linux/amd64'],
  ])('the name %s is %s', (written, name) => {
    expect(contextName(written)).toBe(name);
  });
});

describeWith({ needs: [program('git')] }, 'named contexts', () => {
  const store = libraryStore();
  const web = webServer();
  const server = httpGit(() => join(store.folder, 'served'));
  let layout: string;
  beforeAll(async () => {
    mkdirSync(join(store.folder, 'served'));
    const repository = makeRepository(join(store.folder, 'work'));
    repository.commit({ f: 'from git', '.dockerignore': 'f\n', 'sub/g': 'g' });
    repository.publish(join(store.folder, 'served/r.git'));
    layout = join(store.folder, 'layout');
    const dockerfile = 'FROM scratch\nCOPY f /\nENV FROM_LAYOUT=yes\nONBUILD ENV TRIGGERED=1\n';
    const files = { f: 'from a layout' };
    await store.build(dockerfile, { files, tags: ['in/store:1'] });
    // Of another store, with another layer: it has to be loaded.
    await build({
      root: join(store.folder, 'other-store'),
      context: store.files(files),
      dockerfile: `${dockerfile}COPY f /more\n`,
      tags: ['name/for-the-layout:1'],
      outputs: [{ type: 'oci', dest: layout, tar: false }],
    });
  });

  it('are directories with ignore files of their own, for COPY, mounts and FROM', async () => {
    const files = store.files({ a: 'a', hidden: 'h', '.dockerignore': 'hidden\n' });
    const built = await store.build(
      `FROM files
FROM ${BASE}
COPY --from=files / /copied/
RUN --mount=from=files,target=/m cat /m/a && ls -A /m
COPY --from=0 / /based/
`,
      { buildContexts: { files } },
    );
    expect(built.layer(1)).toEqual(['copied/', 'copied/.dockerignore', 'copied/a']);
    expect(built.log('RUN')).toBe('a.dockerignore\na\n');
    expect(built.layer(3)).toEqual(['based/', 'based/.dockerignore', 'based/a']);
    const changed = await store
      .build(`FROM ${BASE}\nCOPY --from=files hidden /`, { buildContexts: { files } })
      .catch((error: unknown) => error);
    expect(changed).toMatchObject({
      code: 'SOURCE_NOT_FOUND',
      hint: expect.stringContaining('.dockerignore'),
    });
  });

  it('are git repositories and archives of the web, to which no ignore file applies', async () => {
    const folder = store.files({ 'd/x': 'x', '.dockerignore': '*\n' });
    web.file('/a.tgz', execFileSync('tar', ['-cz', '.'], { cwd: folder }));
    web.file('/text', 'just a text');
    const built = await store.build(
      `FROM scratch
COPY --from=repo f sub/g /
COPY --from=archive / /
COPY --from=text context /text
`,
      {
        buildContexts: { repo: `${server.url}/r.git`, archive: `${web.url}/a.tgz`, text: `${web.url}/text` },
      },
    );
    expect([built.layer(0), built.file(0, 'f'), built.layer(1), built.file(2, 'text')]).toEqual([
      ['f', 'g'],
      'from git',
      ['.dockerignore', 'd/', 'd/x'],
      'just a text',
    ]);
  });

  it('stand for images by any form of their names, and for stages', async () => {
    const replaced = async (from: string, name: string): Promise<string> => {
      const files = store.files({ which: name });
      const built = await store.build(`FROM ${from}\nCOPY x /x\n`, {
        files: { x: 'x' },
        buildContexts: { [name]: files },
      });
      return built.file(0, 'which');
    };
    expect(await replaced('alpine', 'docker.io/library/alpine:latest')).toBe(
      'docker.io/library/alpine:latest',
    );
    expect(await replaced('docker.io/library/alpine:latest', 'alpine')).toBe('alpine');
    const staged = await store.build(
      `FROM nothing/at-all AS made
RUN never
FROM scratch
COPY --from=made f /
`,
      { buildContexts: { MADE: store.files({ f: 'in place of a stage' }) } },
    );
    expect(staged.file(-1, 'f')).toBe('in place of a stage');
  });

  it('may be for one platform alone', async () => {
    const { arch } = process;
    const here = arch === 'x64' ? 'amd64' : arch;
    const other = here === 'amd64' ? 'arm64' : 'amd64';
    const buildContexts = {
      c: store.files({ f: 'any' }),
      [`c::linux/${here}`]: store.files({ f: 'here' }),
      [`c::linux/${other}`]: store.files({ f: 'other' }),
    };
    expect((await store.build('FROM scratch\nCOPY --from=c f /', { buildContexts })).file(0, 'f')).toBe(
      'here',
    );
  });

  it('are images of the store, with their configuration and triggers', async () => {
    const built = await store.build('FROM base-image\nCOPY --from=base-image f /copy\n', {
      buildContexts: { 'base-image': 'docker-image://in/store:1' },
    });
    expect(built.config().config.Env).toContain('TRIGGERED=1');
    expect(built.file(1, 'copy')).toBe('from a layout');
    const empty = await store.build('FROM none\nCOPY x /', {
      files: { x: 'x' },
      buildContexts: { none: 'docker-image://scratch' },
    });
    expect(empty.layer(0)).toEqual(['x']);
    await expect(
      store.build('FROM x', { buildContexts: { x: 'docker-image://not/here' } }),
    ).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('are images of OCI layouts, which get no name', async () => {
    const before = tagsOf(store.root);
    const built = await store.build(
      'FROM lay\nCOPY --from=lay f /copy\nRUN --mount=from=lay,target=/m true || true\n'.replace(
        /RUN.*\n/,
        '',
      ),
      {
        buildContexts: { lay: `oci-layout://${layout}` },
      },
    );
    expect([built.file(2, 'copy'), built.config().config.Env]).toEqual([
      'from a layout',
      expect.arrayContaining(['FROM_LAYOUT=yes', 'TRIGGERED=1']),
    ]);
    expect(tagsOf(store.root)).toEqual(before);
    const tagged = await store.build('FROM lay', { buildContexts: { lay: `oci-layout://${layout}:1` } });
    expect(tagged.config().config.Env).toContain('FROM_LAYOUT=yes');
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string }[];
    };
    const pinned = `oci-layout://${layout}@${index.manifests[0]!.digest}`;
    const byDigest = await store.build('FROM lay', { buildContexts: { lay: pinned } });
    expect(byDigest.imageId).toBe(tagged.imageId);
    await expect(
      store.build('FROM lay', { buildContexts: { lay: `oci-layout://${layout}@sha256:${'0'.repeat(64)}` } }),
    ).rejects.toMatchObject({ code: 'LAYOUT_IMAGE_NOT_FOUND' });
    await expect(
      store.build('FROM lay', { buildContexts: { lay: `oci-layout://${layout}:none` } }),
    ).rejects.toMatchObject({ code: 'LAYOUT_IMAGE_NOT_FOUND' });
    await expect(
      store.build('FROM lay', { buildContexts: { lay: `oci-layout://${store.empty()}` } }),
    ).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  });

  it('are targets of other builds, built first and reused', async () => {
    const folder = store.files({
      f: 'one',
      Dockerfile: 'FROM scratch AS first\nCOPY f /made\nENV STAGE=first\nFROM first\nENV STAGE=last\n',
    });
    const dockerfile = 'FROM made\nCOPY --from=made made /copy\n';
    const buildContexts = { made: `target:${folder}#first` };
    const built = await store.build(dockerfile, { buildContexts });
    expect([built.file(1, 'copy'), built.config().config.Env]).toEqual([
      'one',
      expect.arrayContaining(['STAGE=first']),
    ]);
    const again = await store.build(dockerfile, { buildContexts });
    expect([again.imageId, again.ran]).toEqual([built.imageId, 0]);
    writeFileSync(join(folder, 'f'), 'two');
    expect((await store.build(dockerfile, { buildContexts })).file(1, 'copy')).toBe('two');
    const asData = { made: { build: { context: folder, target: 'first', buildArgs: { UNUSED: '1' } } } };
    const sameTarget = await store.build(dockerfile, { buildContexts: asData });
    expect([sameTarget.file(1, 'copy'), sameTarget.ran]).toEqual(['two', 0]);
    const failed = await store
      .build(dockerfile, {
        buildContexts: {
          made: { build: { context: folder, dockerfile: 'FROM again\n', buildContexts: { again: folder } } },
        },
      })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'SOURCE_NOT_FOUND' });
  });

  it('that nothing reads are not opened', async () => {
    const buildContexts = {
      a: '/does/not/exist',
      b: 'https://nowhere.invalid/x.git',
      c: 'target:/does/not/exist',
      d: 'oci-layout:///does/not/exist',
    };
    const built = await store.build('FROM scratch\nCOPY x /', { files: { x: 'x' }, buildContexts });
    expect(built.layer(0)).toEqual(['x']);
    await expect(store.build('FROM scratch\nCOPY --from=a x /', { buildContexts })).rejects.toMatchObject({
      code: 'CONTEXT_NOT_FOUND',
    });
    await expect(store.build('FROM c\n', { buildContexts })).rejects.toMatchObject({
      code: 'CONTEXT_NOT_FOUND',
    });
    await expect(
      build({
        root: store.root,
        context: store.empty(),
        dockerfile: 'FROM x',
        buildContexts: { x: 'ftp://a/b' },
      }),
    ).rejects.toMatchObject({ code: 'CONTEXT_SCHEME' });
  });
});

function tagsOf(root: string): string[][] {
  using opened = openStore(root);
  return listImages(opened).flatMap(({ tags }) => (tags.length === 0 ? [] : [tags]));
}
