import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { describeWith, program } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

/** Layouts and archives that skopeo wrote, in place of an image's name. */
describeWith({ needs: [program('skopeo')] }, 'images of layouts and archives', () => {
  const store = suiteStore();
  let folder = '';
  let id = '';

  beforeAll(async () => {
    const made = store.context('made', {
      Dockerfile: `FROM ${BASE_IMAGE}\nRUN echo made > /made\nENV MADE=yes\n`,
    });
    // Of a store that the builds do not have.
    const other = join(store.root, '../other');
    const base = await store.ok(['save', '-o', 'base.tar', BASE_IMAGE], { cwd: made });
    expect(base).toBe('');
    await store.ok(['--root', other, 'load', '-q', '-i', join(made, 'base.tar')]);
    id = (await store.ok(['--root', other, 'build', '-q', '-t', 'made/image:1', made])).trim();
    folder = store.context('places', { '.dockerignore': 'hidden.tar\n', 'lay/.keep': '' });
    const at = (name: string): string => join(folder, name);
    await store.ok(['--root', other, 'push', '-q', 'made/image:1', `oci:${at('written')}:one`]);
    const copies = [
      `oci:${at('lay/out')}:one`,
      `oci-archive:${at('a.tar')}:one`,
      `docker-archive:${at('d.tar')}:made/image:1`,
    ];
    for (const copy of copies) execFileSync('skopeo', ['copy', '-q', `oci:${at('written')}:one`, copy]);
    execFileSync('gzip', ['-k', at('a.tar'), at('d.tar')]);
    cpSync(at('a.tar'), at('hidden.tar'));
    symlinkSync('lay', at('link'));
    symlinkSync('../../outside.tar', at('out.tar'));
    cpSync(at('a.tar'), join(store.root, '../outside.tar'));
  });

  const build = async (dockerfile: string, ...flags: string[]): Promise<string> => {
    const args = ['build', '--progress=plain', ...flags, '-f', '-', folder];
    const { stderr, stdout, exitCode } = await store.run(args, { input: dockerfile });
    return exitCode === 0 ? stdout : stderr.slice(stderr.lastIndexOf('\nERROR: ') + 1);
  };
  const images = new Set<string>();
  /** The id of the image that a Dockerfile of this line alone gives is that of the base. */
  const baseOf = async (name: string, ...flags: string[]): Promise<string> => {
    const file = join(store.root, '../iid');
    rmSync(file, { force: true });
    expect(await build(`FROM ${name}\n`, '--iidfile', file, ...flags)).toBe('');
    const image = readFileSync(file, 'utf8');
    // What is built on the same base without a step is the same image.
    if (!images.has(image)) {
      const [config, base] = await Promise.all(
        [image, id].map((one) =>
          store.ok(['image', 'inspect', '-f', '{{json .RootFS}} {{json .Config.Env}}', one]),
        ),
      );
      expect(config).toBe(base);
      images.add(image);
    }
    return image;
  };

  test('FROM takes those of the build context, compressed or not, by tag or alone', async () => {
    const names = ['oci:link/out:one', 'oci-archive:a.tar.gz:one', 'docker-archive:d.tar.gz:made/image:1'];
    for (const name of names) await baseOf(name);
    expect(images.size).toBe(1);
    expect(await build(`FROM docker://${BASE_IMAGE}\n`)).toBe('');
    // None of them has a name, and what is built on one is found again.
    expect(await store.ok(['images', '-q', 'made/image'])).toBe('');
    const log = async (): Promise<string> =>
      (
        await store.run(['build', '--progress=plain', '-f', '-', folder], {
          input: 'ARG FILE=d\nFROM docker-archive:${FILE}.tar\nRUN cat /made\n',
        })
      ).stderr;
    expect(await log()).toMatch(/\[1\/2\] FROM docker-archive:d\.tar\n[\s\S]* made\n/);
    expect(await log()).toMatch(/RUN cat \/made\n#\d+ CACHED/);
  });

  test('COPY --from and mounts take them too', async () => {
    const out = join(store.root, '../files');
    const dockerfile = `FROM ${BASE_IMAGE} AS run
RUN --mount=from=oci:lay/out:one,target=/m cp /m/made /from-mount
FROM scratch
COPY --from=oci-archive:a.tar:one /made /from-copy
COPY --from=run /from-mount /
`;
    expect(await build(dockerfile, '-o', out)).toBe('');
    expect(
      readdirSync(out)
        .sort()
        .map((name) => [name, readFileSync(join(out, name), 'utf8')]),
    ).toEqual([
      ['from-copy', 'made\n'],
      ['from-mount', 'made\n'],
    ]);
  });

  test('a named context takes those of the whole machine', async () => {
    const elsewhere = join(store.root, '../elsewhere');
    cpSync(folder, elsewhere, { recursive: true });
    const places = ['oci-archive:a.tar:one', 'docker-archive:d.tar.gz:made/image:1'];
    for (const place of places) {
      const [kind, ...rest] = place.split(':');
      await baseOf('base', '--build-context', `base=${kind}:${elsewhere}/${rest.join(':')}`);
    }
    const { digest } = (
      JSON.parse(readFileSync(join(folder, 'lay/out/index.json'), 'utf8')) as {
        manifests: { digest: string }[];
      }
    ).manifests[0]!;
    await baseOf('base', '--build-context', `base=oci-archive:${elsewhere}/a.tar@${digest}`);
    await baseOf(`oci-archive:a.tar@${digest}`);
  });

  test('a Dockerfile reaches nothing outside of the context', async () => {
    const outside = join(store.root, '../outside.tar');
    expect((await build(`FROM oci-archive:${outside}\n`)).replaceAll(outside, 'PATH')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: oci-archive:PATH: "PATH" is not in the build context
      Hint: A Dockerfile names archives of its build context alone. Give another as a named context: --build-context base=oci-archive:PATH, and write FROM base.
      "
    `);
    for (const name of [
      'oci-archive:../outside.tar',
      'oci-archive:x/../../outside.tar',
      'oci-archive:out.tar',
      'oci-archive:hidden.tar',
    ])
      expect(await build(`FROM ${name}\n`)).toMatch(/not (?:found )?in the build context/);
    // Nor does a layout of which a folder is a link.
    const blobs = join(folder, 'lay/out/blobs');
    renameSync(blobs, join(store.root, '../blobs'));
    symlinkSync('../../../blobs', blobs);
    expect(await build('FROM oci:./lay/out\n')).toContain('"./lay/out/blobs" is not in the build context');
    rmSync(blobs);
    renameSync(join(store.root, '../blobs'), blobs);
  });

  test('what is wrong is said', async () => {
    expect(await build('FROM oci-archive:none.tar\n')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: "/none.tar": not found in the build context
      "
    `);
    expect(await build('FROM oci-archive:a.tar:two\n')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: there is no image two in the OCI archive a.tar
      Hint: Name another with :TAG or @DIGEST behind the path.
      "
    `);
    expect(await build('FROM oci-archive:d.tar\n')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: d.tar: invalid image archive: it has no index.json
      "
    `);
    expect(await build('FROM docker-archive:d.tar:two\n')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: there is no image two in the Docker archive d.tar
      Hint: Name the image with :NAME behind the path.
      "
    `);
    expect(await build('FROM oci-archive:\n')).toMatchInlineSnapshot(`
      "ERROR: invalid place "oci-archive:": it names no path
      Hint: Write oci-archive:PATH or oci-archive:PATH:TAG.
      "
    `);
    expect(await build('FROM oci-archive:.dockerignore\n')).toMatchInlineSnapshot(`
      "ERROR: failed to build: failed to solve: .dockerignore: invalid image archive: it has no index.json
      "
    `);
    // In Docker this is the tag of an image.
    expect(await build('FROM oci:none\n', '--pull=false')).toContain('docker.io/library/oci:none');
  });

  test('other commands say where it goes', async () => {
    const said = async (...args: string[]): Promise<string> => {
      const { stderr, exitCode } = await store.run(args);
      expect(exitCode).not.toBe(0);
      return stderr;
    };
    const load =
      /^Hint: The name of an image is meant here: slipway load -i (\S+) takes that one into the store\.$/m;
    for (const args of [
      ['run', 'oci:./lay:one'],
      ['history', 'oci-archive:a.tar'],
      ['manifest', 'inspect', 'oci-archive:a.tar'],
      ['imagetools', 'inspect', 'docker-archive:d.tar'],
      ['pull', 'oci:./lay:one'],
    ])
      expect(load.exec(await said(...args))?.[1]).toBe(args.at(-1));
    expect(await said('history', 'docker://busybox')).toContain('Hint: Write busybox.');
    expect(await said('save', '-o', 'oci:lay', BASE_IMAGE)).toContain(`slipway push ${BASE_IMAGE} oci:lay`);
  });
});
