import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import { dockerArchive, FROM, hardeningStore, makeTar, type Part, RUNTIMES } from './support.ts';

const servers: Server[] = [];

/** Makes what blocks whoever opens it, or lies about its end, in the place of a file. */
const KINDS: Record<string, (path: string) => unknown> = {
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a socket': (path) =>
    new Promise<void>((resolve) => servers.push(createServer().listen(path, () => resolve()))),
  // Ones that do not exist: opening them would be another error.
  'a character device': (path) => execFileSync('mknod', [path, 'c', '510', '77']),
  'a block device': (path) => execFileSync('mknod', [path, 'b', '510', '77']),
  'a link to an endless device': (path) => execFileSync('ln', ['-s', '/dev/zero', path]),
};

describeWith({ needs: [root()] }, 'special files', () => {
  const store = hardeningStore();
  afterAll(() => {
    for (const server of servers) server.close();
  });
  let count = 0;
  const folder = async (kind: string, name: string): Promise<string> => {
    const context = store.context(`special-${count++}`, name === 'Dockerfile' ? {} : { Dockerfile: FROM });
    await KINDS[kind]!(join(context, name));
    return context;
  };

  describe.each(Object.keys(KINDS))('%s', (kind) => {
    it('as Dockerfile is refused, not opened', async () => {
      const context = await folder(kind, 'Dockerfile');
      const result = await store.run(['build', context]);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/not a regular file/);
    });

    it('as ignore file is refused, not opened', async () => {
      for (const name of ['.dockerignore', 'Dockerfile.dockerignore']) {
        const result = await store.run(['build', await folder(kind, name)]);
        expect(result.exitCode).toBe(1);
        expect(result.stderr).toMatch(/not a regular file/);
      }
    });

    it('as source of COPY and ADD is copied as what it is, or refused, and never opened', async () => {
      const context = await folder(kind, 'x');
      writeFileSync(join(context, 'Dockerfile'), `${FROM}COPY . /all\nADD x /one\nRUN ls -l /all/x /one\n`);
      const { exitCode, stderr } = await store.run(['build', '--progress=plain', context]);
      if (kind.startsWith('a link')) expect(stderr).toContain('not found');
      else {
        // A socket becomes an empty file, as in Docker.
        const letter = { 'a FIFO': 'p', 'a socket': '-', 'a character device': 'c', 'a block device': 'b' }[
          kind
        ];
        expect(exitCode).toBe(0);
        expect(stderr.match(/#\d+ [\d.]+ (\S)(?=[r-][w-]\S+ .* \/(all|one))/g)).toHaveLength(2);
        expect(stderr).toMatch(new RegExp(`${letter}\\S+ .* /one`));
      }
    });
  });

  const inImage: [string, Partial<Part>][] = [
    ['a FIFO', { type: 'fifo' }],
    ['a character device', { type: 'char', major: 510, minor: 77 }],
    ['a link to an endless device', { type: 'symlink', link: '/dev/zero' }],
    ['a link to a descriptor', { type: 'symlink', link: '/proc/self/fd/0' }],
    ['a link to itself', { type: 'symlink', link: 'passwd' }],
  ];
  describe.each(inImage)('%s of an image as account file', (kind, part) => {
    it.each(RUNTIMES)('is refused, not opened, by RUN and --chown (%s)', async (runtime) => {
      for (const file of ['passwd', 'group']) {
        const link = part.link === 'passwd' ? { link: file } : {};
        const layer = makeTar([{ path: `etc/${file}`, ...part, ...link }]);
        const tag = `test/account-${file}`;
        await store.ok(['load'], { input: dockerArchive({ tag, layers: [layer] }) });
        const last = file === 'passwd' ? 'COPY --chown=ann:crew Dockerfile /x' : 'USER ann:crew\nRUN id';
        for (const line of ['USER 7\nRUN id', last]) {
          const dockerfile = `FROM ${tag}\nCOPY --from=test/base /bin /bin\n${line}\n`;
          const { exitCode, stderr } = await store.build(dockerfile, {
            flags: ['--no-cache', '--runtime', runtime],
          });
          expect(exitCode, kind).toBe(1);
          expect(stderr).toMatch(/is not a regular file|too many symbolic links|unable to find/);
        }
        await store.ok(['rmi', '-f', tag]);
      }
    });
  });

  it('an archive to load that is a directory of special files is refused', async () => {
    const layout = store.context('layout', { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' });
    execFileSync('mkfifo', [join(layout, 'index.json')]);
    const result = await store.run(['load', '-i', layout]);
    expect(result.exitCode).toBe(1);
  });
});
