import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, it } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import { BASE, libraryStore } from '../support/library-store.ts';
import { describeWith, root } from '../support/need.ts';

/** 5 GiB take half a minute or more of hashing: `SLIPWAY_TEST_SPARSE=5368709120` has them. */
const SPARSE_BYTES = Number(process.env.SLIPWAY_TEST_SPARSE ?? 192 << 20);

/** Makes so many directories more, one in the other, beyond what a path can name. */
const DEEPER = `
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir('c' * 200); os.chdir('c' * 200)
`;

describeWith({ needs: [root()] }, 'a directory with odd files as context', () => {
  const store = libraryStore();

  it('arrives with every kind of file and every name', async () => {
    const context = store.empty();
    const at = (name: string | Buffer): Buffer =>
      Buffer.concat([Buffer.from(`${context}/o/`), Buffer.from(name)]);
    fs.mkdirSync(path.join(context, 'o'));
    for (const name of ['a\nb', ' ', '*', '\\', '-rf', 'Twin', 'twin', 'x'.repeat(255)])
      fs.writeFileSync(at(name), name);
    fs.writeFileSync(at(Buffer.from([0x66, 0xff, 0xfe])), 'bytes');
    fs.symlinkSync('/etc/passwd', at('out'));
    fs.symlinkSync('nowhere', at('dangling'));
    execFileSync('mkfifo', [at('fifo').toString()]);
    execFileSync('mknod', [at('null').toString(), 'c', '1', '3']);
    fs.linkSync(at('twin'), at('twin-link'));
    const server = net.createServer().listen(at('socket').toString());
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const built = await store.build(
        `FROM ${BASE}\nCOPY o /o\nRUN ls -la /o | wc -l; cat /o/socket; cat "/o/-rf"\n`,
        {
          context,
        },
      );
      expect(built.log('RUN ls')).toBe('18\n-rf');
      expect(built.layer(1).map((name) => name.replace('x'.repeat(255), 'x…'))).toMatchInlineSnapshot(`
        [
          "o/",
          "o/ ",
          "o/*",
          "o/-rf",
          "o/Twin",
          "o/\\\\",
          "o/a\\nb",
          "o/dangling",
          "o/fifo",
          "o/f\\377\\376",
          "o/null",
          "o/out",
          "o/socket",
          "o/twin",
          "o/twin-link",
          "o/x…",
        ]
      `);
    } finally {
      server.close();
    }
  });

  it('does not lead out of the context', async () => {
    const context = store.files({ inside: 'inside\n' });
    fs.symlinkSync('/etc/passwd', path.join(context, 'out'));
    fs.symlinkSync('../../../../../../etc', path.join(context, 'up'));
    for (const source of ['out', 'up/passwd', '../../etc/passwd']) {
      const error = await store
        .build(`FROM ${BASE}\nCOPY ${source} /x\n`, { context })
        .catch((thrown: unknown) => thrown);
      expect(error, source).toBeInstanceOf(SlipwayError);
      expect((error as SlipwayError).code, source).toBe('SOURCE_NOT_FOUND');
    }
  });

  it('that change during the build give an error, and no layer under a wrong key', async () => {
    const context = store.empty();
    for (let i = 0; i < 400; i++) fs.writeFileSync(path.join(context, `f${i}`), `first ${i}\n`);
    const text = `FROM ${BASE} AS slow\nRUN true > /slow\nFROM ${BASE}\nCOPY --from=slow /slow /slow\nCOPY . /tree/\n`;
    let changed = false;
    const change = (): void => {
      if (changed) return;
      changed = true;
      for (let i = 0; i < 400; i++) fs.writeFileSync(path.join(context, `f${i}`), `other ${i}\n`);
    };
    // The key of a COPY is made before what runs before it has ended.
    const result = await store
      .build(text, { context }, (event) => {
        if (event.type === 'started') change();
      })
      .catch((thrown: unknown) => thrown);
    if (result instanceof SlipwayError) expect(['SOURCE_CHANGED', 'CONTEXT_CHANGED']).toContain(result.code);
    const built = await store.build(`${text}RUN cat /tree/f7\n`, { context });
    expect(built.log('RUN cat')).toBe('other 7\n');
  });

  it('that vanish during the build, or become something else, give an error', async () => {
    const deeds: [name: string, deed: (file: string) => void][] = [
      ['is removed', (file) => fs.rmSync(file)],
      [
        'becomes a link to the same content',
        (file) => {
          fs.renameSync(file, `${file}-moved`);
          fs.symlinkSync(`${file}-moved`, file);
        },
      ],
      [
        'becomes a FIFO',
        (file) => {
          fs.rmSync(file);
          execFileSync('mkfifo', [file]);
        },
      ],
      [
        'becomes a directory',
        (file) => {
          fs.rmSync(file);
          fs.mkdirSync(file);
        },
      ],
    ];
    for (const [name, deed] of deeds) {
      const context = store.files({ 'd/f': name });
      let vertex: string | undefined;
      const error = await store
        .build('FROM scratch\nCOPY d /d\n', { context }, (event) => {
          if (event.type === 'announced' && event.name.includes('COPY d')) vertex = event.vertex;
          // The key is made by now.
          if (event.type === 'started' && event.vertex === vertex) deed(path.join(context, 'd/f'));
        })
        .catch((thrown: unknown) => thrown);
      expect(error, name).toMatchObject({ kind: 'changed' });
    }
  });

  it('may lie as deep as the kernel reaches; beyond it says so', async () => {
    const context = store.empty();
    const name = `${'a'.repeat(199)}/`;
    const levels = Math.floor((4095 - context.length - 400) / name.length);
    fs.mkdirSync(path.join(context, name.repeat(levels)), { recursive: true });
    fs.writeFileSync(path.join(context, name.repeat(levels), 'f'), 'deep');
    fs.mkdirSync(path.join(context, 'b/'.repeat(300)), { recursive: true });
    const built = await store.build('FROM scratch\nCOPY . /t/\n', { context });
    expect(built.file(0, `t/${name.repeat(levels)}f`)).toBe('deep');
    expect(built.layer(0)).toContain(`t/${'b/'.repeat(300)}`);
    execFileSync('python3', ['-c', DEEPER, path.join(context, name.repeat(levels)), '5']);
    try {
      await expect(store.build('FROM scratch\nCOPY . /t/\n', { context })).rejects.toMatchObject({
        code: 'PATH_TOO_LONG',
      });
    } finally {
      execFileSync('rm', ['-rf', context]);
    }
  });

  it('a file of holes takes no room in the store, and is what it was', async () => {
    const context = store.files({ start: 'start' });
    fs.renameSync(path.join(context, 'start'), path.join(context, 'sparse'));
    const file = fs.openSync(path.join(context, 'sparse'), 'r+');
    fs.writeSync(file, 'middle', SPARSE_BYTES / 2);
    fs.ftruncateSync(file, SPARSE_BYTES);
    fs.closeSync(file);
    const script = `stat -c %s /sparse; head -c 5 /sparse; dd if=/sparse bs=4096 skip=${SPARSE_BYTES / 8192} count=1 2>/dev/null | head -c 6; tail -c 3 /sparse | od -An -tx1`;
    const built = await store.build(`FROM ${BASE}\nCOPY sparse /\nRUN ${script}\n`, { context, outputs: [] });
    expect(built.log('RUN stat')).toBe(`${SPARSE_BYTES}\nstartmiddle 00 00 00\n`);
    const blocks = execFileSync('sh', ['-c', `find ${store.root}/layers -name sparse -exec stat -c %b {} +`]);
    expect(Number(blocks) * 512).toBeLessThan(4 << 20);
    const again = await store.build(`FROM ${BASE}\nCOPY sparse /\nRUN ${script}\n`, { context, outputs: [] });
    expect([again.ran, again.imageId]).toEqual([0, built.imageId]);
  });
});
