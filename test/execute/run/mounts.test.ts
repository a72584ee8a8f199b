import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

const FILES = {
  '.dockerignore': '**/*.log\n',
  'dir/one': 'one\n',
  'dir/two': 'two\n',
  'dir/ignored.log': 'ignored\n',
  'other/three': 'three\n',
};

describeWith({ needs: [root()] }, 'bind mounts and tmpfs of a RUN', () => {
  const store = libraryStore();

  it('show the context, or a part of it, without what is ignored', async () => {
    const built = await store.build(
      `FROM ${BASE}
RUN --mount=target=/context find /context | sort; touch /context/new 2>&1 || echo refused
RUN --mount=source=dir,target=sub ls /sub
WORKDIR /work
RUN --mount=source=dir/one,target=here/file cat here/file; ls -A here
RUN --mount=source=dir,target=/rw,rw echo new > /rw/one; rm /rw/two; cat /rw/*
RUN --mount=source=dir,target=/rw,readwrite=true cat /rw/*
RUN ls -A /work; ls -d /context /sub /rw 2>/dev/null || echo gone
`,
      { files: FILES },
    );
    expect(built.log('target=/context')).toMatchInlineSnapshot(`
      "/context
      /context/.dockerignore
      /context/dir
      /context/dir/one
      /context/dir/two
      /context/other
      /context/other/three
      touch: /context/new: Read-only file system
      refused
      "
    `);
    expect(built.log('target=sub')).toBe('one\ntwo\n');
    expect(built.log('target=here')).toBe('one\nfile\n');
    expect(built.log('target=/rw,rw')).toBe('new\n');
    expect(built.log('readwrite=true')).toBe('one\ntwo\n');
    expect(built.log('RUN ls -A /work')).toBe('gone\n');
    expect(built.layer(-1)).toEqual(['etc/']);
  });

  it('show a stage or an image, links resolved inside it', async () => {
    const built = await store.build(`FROM ${BASE} AS other
RUN mkdir /data && echo of the stage > /data/file && chown 5:6 /data/file && ln -s /etc/motd /data/link && ln -s data /alias && echo motd > /etc/motd
FROM ${BASE}
RUN --mount=from=other,source=/data,target=/d stat -c '%u:%g' /d/file; cat /d/file; readlink /d/link; touch /d/new 2>&1 || echo refused
RUN --mount=from=other,source=/data,target=/d,rw echo more >> /d/file; cat /d/file
RUN --mount=from=other,source=/data/link,target=/l cat /l
RUN --mount=from=other,source=alias/file,target=/f cat /f
RUN --mount=from=other,target=/whole cat /whole/data/file
RUN --mount=from=${BASE},source=/etc,target=/i ls /i
`);
    const logs = ['target=/d s', 'target=/d,rw', 'target=/l', 'target=/f', 'target=/whole', 'target=/i'];
    expect(logs.map((part) => built.log(part))).toMatchInlineSnapshot(`
      [
        "5:6
      of the stage
      /etc/motd
      touch: /d/new: Read-only file system
      refused
      ",
        "of the stage
      more
      ",
        "motd
      ",
        "of the stage
      ",
        "of the stage
      ",
        "group
      passwd
      ",
      ]
    `);
  });

  it('run again when what they show has changed, and only then', async () => {
    const dockerfile = `FROM ${BASE}\nRUN --mount=source=dir,target=/d cat /proc/sys/kernel/random/uuid > /mark\n`;
    const build = async (files: Record<string, string>) => (await store.build(dockerfile, { files })).ran;
    expect(await build(FILES)).toBe(1);
    expect(await build({ ...FILES, 'other/three': 'changed', 'dir/ignored.log': 'changed' })).toBe(0);
    expect(await build({ ...FILES, 'dir/one': 'changed\n' })).toBe(1);
  });

  it('are errors at the flag when there is nothing to show', async () => {
    const build = (mount: string) =>
      store.build(`FROM ${BASE}\nRUN --mount=${mount} true\n`, { files: FILES });
    await expect(build('source=missing,target=/x')).rejects.toMatchObject({
      kind: 'not-found',
      location: { range: { start: { line: 2 } } },
    });
    await expect(build('source=dir/ignored.log,target=/x')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(build(`from=${BASE},source=/missing,target=/x`)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('of type tmpfs are empty, of the size that is asked for, and leave nothing', async () => {
    const built = await store.build(`FROM ${BASE}
RUN mkdir /full && echo below > /full/file
RUN --mount=type=tmpfs,target=/full,size=1m ls -A /full; dd if=/dev/zero of=/full/big bs=64k count=32 2>&1 | head -1; stat -c %s /full/big; df -k /full | tail -1 | awk '{print $2}'
RUN --mount=type=tmpfs,target=/new/place touch /new/place/file
RUN cat /full/file; ls /new || true
`);
    expect(built.log('target=/full')).toMatchInlineSnapshot(`
      "dd: error writing '/full/big': No space left on device
      1048576
      1024
      "
    `);
    expect(built.log('cat /full/file')).toContain('below\n');
    expect(built.log('cat /full/file')).toContain('/new: No such file');
    expect(built.layer(-2)).toEqual(['etc/']);
  });
});

describeWith({ needs: [root()] }, 'cache mounts of a RUN', () => {
  const store = libraryStore();
  const append = (flags: string, word: string): string =>
    `RUN --mount=type=cache,target=/cache${flags} echo ${word} >> /cache/list; cat /cache/list\n`;

  it('are kept between steps and builds, never in a layer, and no part of the key', async () => {
    const first = await store.build(
      `FROM ${BASE}\n${append('', 'one')}${append('', 'two')}RUN ls -A /cache || true\n`,
    );
    expect(first.log('echo two')).toBe('one\ntwo\n');
    expect(first.log('ls -A')).toContain('No such file');
    expect(first.layer(-2)).toEqual(['etc/']);
    const second = await store.build(
      `FROM ${BASE}\n${append('', 'one')}${append(',id=/cache,sharing=locked', 'three')}`,
    );
    expect(second.log('echo three')).toBe('one\ntwo\nthree\n');
    expect(second.reused).toBe(1);
    const other = await store.build(`FROM ${BASE}\n${append(',id=other', 'alone')}`);
    expect(other.log('alone')).toBe('alone\n');
    // Sharing and id of an equal line make no other step.
    const renamed = await store.build(`FROM ${BASE}\n${append(',id=renamed,sharing=private', 'alone')}`);
    expect(renamed.ran).toBe(0);
  });

  it('have the owner and mode of the step that made them', async () => {
    const flags = ',id=owned,uid=12,gid=34,mode=0751';
    const show = "stat -c '%u:%g %a' /cache";
    const built = await store.build(`FROM ${BASE}
RUN --mount=type=cache,target=/cache${flags} ${show} # first
RUN --mount=type=cache,target=/cache,id=owned,uid=56 ${show} # second
RUN --mount=type=cache,target=/cache,id=plain ${show} # third
RUN --mount=type=cache,target=/cache,id=plain,ro touch /cache/x 2>&1 || echo refused
`);
    expect(built.log('# first')).toBe('12:34 751\n');
    expect(built.log('# second')).toBe('12:34 751\n');
    expect(built.log('# third')).toBe('0:0 755\n');
    expect(built.log('id=plain,ro')).toContain('refused\n');
  });

  it('begin with the content of a stage where they are told to', async () => {
    const built = await store.build(`FROM ${BASE} AS seed
RUN mkdir -p /s/deep && echo seed > /s/deep/file && chown 7:8 /s/deep/file && chmod 700 /s
FROM ${BASE}
RUN --mount=type=cache,target=/c,id=seeded,from=seed,source=/s,uid=99 stat -c '%u:%g %a' /c /c/deep/file; echo more >> /c/deep/file
RUN --mount=type=cache,target=/c,id=seeded,from=seed,source=/s cat /c/deep/file
RUN --mount=from=seed,source=/s,target=/s cat /s/deep/file
`);
    expect(built.log('more >>')).toBe('0:0 700\n7:8 644\n');
    expect(built.log('id=seeded,from=seed,source=/s cat')).toBe('seed\nmore\n');
    expect(built.log('target=/s cat')).toBe('seed\n');
  });

  /**
   * A step that leaves its name in a cache, waits for the other one of its kind (but not for ever), prints whom it sees
   * there, waits until the other has done so too, and takes its name away.
   */
  const visitor = (name: string, cache: { id: string; sharing: string; patience: number }): string => {
    const { id, sharing, patience } = cache;
    const meet = (suffix: string): string =>
      `touch /meet/${name}${suffix}; n=0; until [ -e /meet/left${suffix} -a -e /meet/right${suffix} ] || [ $n -ge ${patience} ]; do sleep 0.02; n=$((n+1)); done`;
    return `RUN --mount=type=cache,target=/cache,id=${id},sharing=${sharing} --mount=type=cache,target=/meet,id=meet-${id} \
  touch /cache/${name}; ${meet('')}; ls /cache | xargs echo ${sharing} | tee /seen; ${meet('.seen')}; rm /cache/${name}
`;
  };

  /** Two stages that may run at the same time. */
  const pair = (sharing: string, patience: number): string => {
    const stage = (name: string): string =>
      `FROM ${BASE} AS ${name}\n${visitor(name, { id: sharing, sharing, patience })}`;
    return `${stage('left')}${stage('right')}FROM scratch
COPY --from=left /seen /left
COPY --from=right /seen /right
`;
  };
  const seen = async (sharing: string, patience: number): Promise<string[]> => {
    const built = await store.build(pair(sharing, patience), { jobs: 2 });
    return [built.file(-2, 'left').trim(), built.file(-1, 'right').trim()];
  };

  it('that are shared have two users at the same time', async () => {
    expect(await seen('shared', 1000)).toEqual(['shared left right', 'shared left right']);
  });

  it('that are private have one user each', async () => {
    expect(await seen('private', 1000)).toEqual(['private left', 'private right']);
  });

  it('that are locked have one user after the other', async () => {
    expect(await seen('locked', 30)).toEqual(['locked left', 'locked right']);
  });

  it.each([
    ['shared', 1000, ['shared left right\n', 'shared left right\n']],
    ['private', 1000, ['private left\n', 'private right\n']],
    ['locked', 30, ['locked left\n', 'locked right\n']],
  ] as const)('that are %s are so for two builds of one store', async (sharing, patience, expected) => {
    const cache = { id: `builds-${sharing}`, sharing, patience };
    const builds = await Promise.all(
      ['left', 'right'].map(async (name) => {
        const built = await store.build(`FROM ${BASE}\nENV IN=two\n${visitor(name, cache)}`);
        return built.log('type=cache');
      }),
    );
    expect(builds).toEqual(expected);
  });

  it('that a step replaced by a link do not reach outside', async () => {
    await store.build(`FROM ${BASE}
RUN --mount=type=cache,target=/cache,id=linked ln -s / /cache/root
`);
    const built = await store.build(`FROM ${BASE}
RUN --mount=type=cache,target=/cache,id=linked ls -d /cache/root/work /cache/root/dev/shm || true
RUN --mount=type=cache,target=/cache/root,id=linked-below ls -A /
`);
    expect(built.log('/cache/root/work')).toContain('/cache/root/work: No such file');
    const caches = readdirSync(join(store.root, 'cache')).map((name) => join(store.root, 'cache', name, '0'));
    expect(caches.every((path) => lstatSync(path).isDirectory())).toBe(true);
    expect(existsSync('/cache')).toBe(false);
    expect(
      caches.some((path) => existsSync(join(path, 'list')) && readFileSync(join(path, 'list')).length > 0),
    ).toBe(true);
  });
});
