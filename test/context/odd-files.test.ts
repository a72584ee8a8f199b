import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, it } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import { BASE, libraryStore } from '../support/library-store.ts';
import { describeWith, root } from '../support/need.ts';

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
});
