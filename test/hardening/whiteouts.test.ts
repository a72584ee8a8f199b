import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import { FROM, hardeningStore, makeTar, RUNTIMES, remains } from './support.ts';

describeWith({ needs: [root()] }, 'names that begin with .wh.', () => {
  const store = hardeningStore();
  const names = ['.wh.sh', '.wh..wh..opq', '.wh.', '.wh..', '.wh...'];
  const refused = (stderr: string): void => {
    expect(stderr).toMatch(/\.wh\./);
    expect(stderr).toMatch(/names that begin with \.wh\. mark deletions|whose name starts with \.wh\./);
    expect(remains(store.root)).toEqual([]);
  };

  it.each(names.flatMap((name) => RUNTIMES.map((runtime) => [name, runtime] as const)))(
    'made by RUN are refused: %j (%s)',
    async (name, runtime) => {
      const { exitCode, stderr } = await store.build(`${FROM}RUN echo x > /bin/${name}\n`, {
        flags: ['--runtime', runtime],
      });
      expect(exitCode).toBe(1);
      refused(stderr);
    },
  );

  it('made by RUN as a directory, a link or a FIFO are refused', async () => {
    for (const command of ['mkdir /bin/.wh.sh', 'ln -s x /bin/.wh.sh', 'mkfifo /bin/.wh.sh']) {
      const { exitCode, stderr } = await store.build(`${FROM}RUN ${command}\n`);
      expect(exitCode).toBe(1);
      refused(stderr);
    }
  });

  it.each(names)('of the context are refused by COPY and ADD: %j', async (name) => {
    const prepare = (context: string): void => writeFileSync(join(context, name), 'x');
    for (const line of [
      `COPY ${name} /bin/`,
      'COPY . /bin/',
      `ADD ${name} /bin/`,
      `COPY ${name} /bin/.wh.sh`,
    ]) {
      const { exitCode, stderr } = await store.build(`${FROM}${line}\n`, { prepare });
      expect(exitCode).toBe(1);
      refused(stderr);
    }
  });

  it('given to a file by COPY or a heredoc are refused', async () => {
    for (const line of [
      'COPY a /bin/.wh.sh',
      'COPY <<.wh.sh /bin/\nx\n.wh.sh',
      'COPY <<E /bin/.wh.sh\nx\nE',
    ]) {
      const { exitCode, stderr } = await store.build(`${FROM}${line}\n`, { files: { a: 'a' } });
      expect(exitCode).toBe(1);
      refused(stderr);
    }
  });

  it('given to a directory by WORKDIR, COPY and a mount are refused', async () => {
    for (const line of ['WORKDIR /bin/.wh.sh', 'COPY a /bin/.wh.sh/a', 'WORKDIR /.wh.bin/x']) {
      const { exitCode, stderr } = await store.build(`${FROM}${line}\n`, { files: { a: 'a' } });
      expect(exitCode).toBe(1);
      refused(stderr);
    }
  });

  it.each(names)('of an added archive are refused: %j', async (name) => {
    for (const parts of [[{ path: name }], [{ path: 'bin/' }, { path: `bin/${name}` }]]) {
      const files = { 'a.tar': makeTar(parts) };
      const { exitCode, stderr } = await store.build(`${FROM}ADD a.tar /\n`, { files });
      expect(exitCode).toBe(1);
      refused(stderr);
    }
  });

  it('of a context that comes as an archive are refused by COPY', async () => {
    const input = makeTar([{ path: 'Dockerfile', content: `${FROM}COPY . /bin/\n` }, { path: '.wh.sh' }]);
    const result = await store.run(['build', '--progress=plain', '-'], { input });
    expect(result.exitCode).toBe(1);
    refused(result.stderr);
  });

  it('delete nothing of the image after all of this', async () => {
    expect(await store.ok(['run', '--rm', 'test/base', 'sh', '-c', 'echo here'])).toBe('here\n');
  });
});
