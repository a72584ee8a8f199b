import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { build } from '../../../src/index.ts';
import { BASE, type LibraryBuild, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

const VALUE = 'pa55-sw0rd';

describeWith({ needs: [root()] }, 'secrets of a RUN', () => {
  const store = libraryStore();
  const withFile = (content = VALUE): LibraryBuild => {
    const file = join(store.files({ secret: content }), 'secret');
    return { secrets: { s: { file } } };
  };

  it('come from files, variables and callers, as files and as variables', async () => {
    const folder = store.files({ secret: VALUE });
    const built = await store.build(
      `FROM ${BASE}
RUN --mount=type=secret,id=file sed s/a/A/ /run/secrets/file; stat -c '%u:%g %a' /run/secrets/file
RUN --mount=type=secret,id=variable,target=/etc/own,uid=3,gid=4,mode=0640 stat -c '%u:%g %a' /etc/own; wc -c < /etc/own; (echo x >> /etc/own) 2>/dev/null || echo refused
RUN --mount=type=secret,id=bytes,target=bytes od -An -tx1 /bytes; mount | grep -c ' /bytes .*[(,]ro'
RUN --mount=type=secret,id=file,env=TOKEN echo \${#TOKEN}; ls /run/secrets 2>/dev/null || echo no file
RUN --mount=type=secret,id=file,env=TOKEN,target=/both [ "$TOKEN" = "$(cat /both)" ] && echo same; echo \${#TOKEN} $(wc -c < /both)
RUN --mount=type=secret,source=file,target=/by/source wc -c < /by/source
RUN --mount=type=secret,target=/of/file wc -c < /of/file
RUN ls /run /etc/own /bytes /both /by /of 2>/dev/null; echo \${TOKEN-none}
`,
      {
        secrets: {
          file: { file: 'secret' },
          variable: { env: 'SECRET' },
          bytes: { value: new Uint8Array([0, 255, 10]) },
        },
        env: { PATH: process.env.PATH!, SECRET: 'abc' },
        cwd: folder,
      },
    );
    const titles = [
      'id=file sed',
      'id=variable',
      'id=bytes',
      'env=TOKEN echo',
      'env=TOKEN,target',
      'source=file',
      '/of/file wc',
      'RUN ls',
    ];
    expect(titles.map((title) => built.log(title))).toMatchInlineSnapshot(`
      [
        "pA55-sw0rd0:0 400
      ",
        "3:4 640
      3
      refused
      ",
        " 00 ff 0a
      1
      ",
        "10
      no file
      ",
        "same
      10 10
      ",
        "10
      ",
        "10
      ",
        "none
      ",
      ]
    `);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((index) => built.layer(index))).toEqual(Array(8).fill(['etc/']));
  });

  it('that are not given are skipped, or missed where they are required', async () => {
    const built = await store.build(`FROM ${BASE}
RUN --mount=type=secret,id=none ls /run/secrets 2>/dev/null || echo no file
RUN --mount=type=secret,id=none,env=NONE,required=false echo \${NONE-unset}
`);
    expect([built.log('id=none ls'), built.log('required=false')]).toEqual(['no file\n', 'unset\n']);
    const required = store.build(`FROM ${BASE}\nRUN --mount=type=secret,id=none,required true\n`);
    await expect(required).rejects.toMatchObject({
      kind: 'not-found',
      code: 'SECRET_NOT_FOUND',
      message: 'secret none: not found',
      location: { file: 'Dockerfile', range: { start: { line: 2 } } },
    });
  });

  it.each([
    ['type=secret,id=a,source=b', "both source and id can't be set"],
    ['type=secret', 'invalid secret mount. one of source, target required'],
    [`type=secret,id=a,from=${BASE}`, 'secret mount should not have a from'],
  ])('are refused as %s', async (mount, message) => {
    const failed = store.build(`FROM ${BASE}\nRUN --mount=${mount} true\n`);
    await expect(failed).rejects.toMatchObject({ message: expect.stringContaining(message) });
  });

  it.each([
    ['a file that is not there', { file: '/no/such/file' }, 'SECRET_FILE_MISSING'],
    ['a directory', { file: '/' }, 'SECRET_NOT_A_FILE'],
    ['too much', { value: Buffer.alloc(500 * 1024 + 1) }, 'SECRET_TOO_BIG'],
    ['a device', { file: '/dev/zero' }, 'SECRET_NOT_A_FILE'],
  ])('are refused when they are %s', async (_, source, code) => {
    const dockerfile = `FROM ${BASE}\nRUN --mount=type=secret,id=s true\n`;
    await expect(store.build(dockerfile, { secrets: { s: source } })).rejects.toMatchObject({ code });
  });

  it('make no other step when only their content changes', async () => {
    const dockerfile = `FROM ${BASE}\nRUN --mount=type=secret,id=s wc -c < /run/secrets/s # content\n`;
    expect((await store.build(dockerfile, withFile('one'))).ran).toBe(1);
    expect((await store.build(dockerfile, withFile('two'))).ran).toBe(0);
    expect((await store.build(dockerfile)).ran).toBe(0);
  });

  it('are nowhere afterwards: not in store, image, events or errors', async () => {
    const dockerfile = `FROM ${BASE}
ENV NAME=value
RUN --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=s,target=/s [ "$TOKEN" = "$(cat /s)" ] && echo "used $NAME"
RUN --mount=type=secret,id=s,env=TOKEN echo $TOKEN | md5sum > /dev/null; exit 3
`;
    const events: unknown[] = [];
    const error = await store
      .build(dockerfile, withFile(), (event) => events.push(event))
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: 'step-failed', exitCode: 3 });
    const said = `${JSON.stringify(events)}${JSON.stringify(error)}${String((error as Error).stack)}`;
    expect(said).toContain('used');
    expect(said).not.toContain(VALUE);
    expect(said).not.toContain(Buffer.from(VALUE).toString('base64'));
    const found = spawnSync('grep', [
      '-raFl',
      '-e',
      VALUE,
      '-e',
      Buffer.from(VALUE).toString('base64'),
      store.root,
    ]);
    expect(found.stdout.toString()).toBe('');
    // The search does find what is there.
    expect(spawnSync('grep', ['-raFlq', 'NAME=value', store.root]).status).toBe(0);
  });

  it('with a NUL cannot be a variable, and the error does not show them', async () => {
    const failed = build({
      context: store.empty(),
      dockerfile: `FROM ${BASE}\nRUN --mount=type=secret,id=s,env=TOKEN true # nul\n`,
      secrets: { s: { value: `${VALUE}\0tail` } },
      root: store.root,
      runtime: 'embedded',
    });
    const error = (await failed.catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ kind: 'invalid' });
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain(VALUE);
  });
});
