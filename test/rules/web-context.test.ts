import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTar } from '../differential/make-tar.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, root } from '../support/need.ts';
import { buildCase, checkOutcome } from './case-runner.ts';

describeWith({ needs: [root()] }, 'contexts that are addresses', () => {
  const folder = suiteFolder('big');
  let server: Server;
  let address = '';

  beforeAll(async () => {
    const tar = makeTar({
      Dockerfile: 'FROM scratch\nCOPY a /x\n',
      other: 'FROM scratch\nCOPY a /y\n',
      '.dockerignore': 'a\n',
      a: 'a',
    });
    const contents: Record<string, Buffer> = {
      '/archive': tar,
      '/archive.tar.gz': gzipSync(tar),
      '/Dockerfile': Buffer.from('FROM scratch\nLABEL of=text\n'),
    };
    server = createServer(({ url = '' }, response) => {
      const content = contents[url];
      response.statusCode = content === undefined ? 404 : 200;
      response.end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server.close());

  const build = (path: string, settings: { file?: string } = {}) =>
    buildCase(
      { ...settings, options: { context: `${address}${path}` } },
      { folder: folder.path, want: 'files' },
    );

  test.each(['/archive', '/archive.tar.gz'])('are archives, without ignore files: %s', async (path) => {
    checkOutcome(await build(path), { files: { '/x': 'a' } });
    checkOutcome(await build(path, { file: 'other' }), { files: { '/x': null, '/y': 'a' } });
  });

  test('are Dockerfiles when they are texts', async () => {
    checkOutcome(await build('/Dockerfile'), { config: { Labels: { of: 'text' } }, layers: 0 });
  });

  test('have to be there', async () => {
    const outcome = await build('/none');
    checkOutcome(outcome, { fails: ['404'] });
    expect(outcome.refused?.text).toContain(address);
  });
});
