import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { CACHE_CONFIG_TYPE, type CacheDocument } from '../../../src/cache/travel/cache-document.ts';
import { cacheHome } from '../../../src/execute/run/cache-home.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { CACHE_MOUNT_TYPE, OCI } from '../../../src/image/media-types.ts';
import { parseManifest } from '../../../src/image/parse-manifest.ts';
import type { ImageManifest } from '../../../src/image/types.ts';
import { loadSys } from '../../../src/sys/linux.ts';
import { proxiedRegistry } from '../../registry/proxied-registry.ts';
import { pushDocument } from '../../registry/remote-images.ts';
import { REGISTRY_NEEDS } from '../../registry/servers.ts';
import { describeWith, program } from '../../support/need.ts';
import { ended, runSlipway, slipway, startSlipway } from '../../support/slipway.ts';
import { machines } from './machines.ts';

const DOCKERFILE = `FROM HOST/base
COPY source /source
RUN --mount=type=cache,id=mine,target=/c,mode=0750 cat /source >> /c/log && cat /c/log
`;

describeWith(
  { needs: [...REGISTRY_NEEDS, program('skopeo'), program('tar')] },
  'cache mounts that travel',
  () => {
    const place = proxiedRegistry();
    const { pushBase, context, build, root } = machines(place);

    beforeAll(async () => {
      await pushBase();
    });

    const registry = (name: string) => ({ type: 'registry', ref: `${place.proxy.host}/${name}` }) as const;
    const manifestOf = async (repository: string): Promise<ImageManifest> =>
      parseManifest((await place.client.getManifest(repository, 'latest'))!.bytes);
    const documentOf = async (repository: string): Promise<CacheDocument> => {
      const { config } = await manifestOf(repository);
      return JSON.parse((await place.client.readBlob(repository, config)).toString()) as CacheDocument;
    };
    const home = (machine: string, id = 'mine'): string => cacheHome(join(root(machine), 'cache'), id);
    const cli = (machine: string) => ({
      root: root(machine),
      cwd: place.folder,
      env: { HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' },
    });

    test('one arrives filled at a machine that runs a step with it, and is not fetched before', async () => {
      const path = context({ Dockerfile: DOCKERFILE, source: 'one\n' });
      const to = { ...registry('app'), mounts: ['mine', 'none'] };
      const first = await build('one', path, { cacheTo: [to] });
      expect([first.output, first.warnings_]).toEqual([
        'one\n',
        ['the cache mount none is not exported: no such cache mount: none'],
      ]);
      const { mounts } = await documentOf('app');
      expect(mounts.map(({ id, size }) => ({ id, size }))).toEqual([{ id: 'mine', size: 4 }]);
      const { layers } = await manifestOf('app');
      expect(layers.at(-1)!.mediaType).toBe(`${CACHE_MOUNT_TYPE}+gzip`);
      place.proxy.log.length = 0;
      const second = await build('two', path, { cacheFrom: [registry('app')] });
      expect(second.ran).toBe(0);
      const blob = `GET /v2/app/blobs/${layers.at(-1)!.digest}`;
      expect(place.proxy.log).not.toContain(blob);
      // From cache to cache, though it is not here.
      await build('two', path, {
        cacheFrom: [registry('app')],
        cacheTo: [{ ...registry('passed'), mounts: ['mine'] }],
      });
      expect((await documentOf('passed')).mounts).toEqual(mounts);
      writeFileSync(join(path, 'source'), 'two\n');
      const third = await build('two', path, { cacheFrom: [registry('app')] });
      expect([third.ran, third.output]).toEqual([2, 'one\ntwo\n']);
      expect(place.proxy.log).toContain(blob);
      // What is here is newer than what may come, and its mode came along.
      writeFileSync(join(path, 'source'), 'three\n');
      const fourth = await build('two', path, { cacheFrom: [registry('app')] });
      expect(fourth.output).toBe('one\ntwo\nthree\n');
      expect(execFileSync('stat', ['-c', '%a', join(home('two'), '0')], { encoding: 'utf8' })).toBe('750\n');
      // Not asked for, too large, or to begin empty.
      const without = { cacheFrom: [{ ...registry('app'), mounts: ['other'] }] };
      expect((await build('three', path, without)).output).toBe('three\n');
      const limited = await build('four', path, { cacheFrom: [{ ...registry('app'), mountLimit: 3 }] });
      expect(limited.output).toBe('three\n');
      expect(limited.warnings_[0]).toMatch(
        /^the cache mount mine of .* is not used: its 4 bytes are more than 3$/,
      );
      const reset = { cacheFrom: [registry('app')], steps: { resetCacheMounts: true } };
      expect((await build('five', path, reset)).output).toBe('three\n');
    });

    test('one that is too large, or that a step has, stays where it is', async () => {
      const path = context({ Dockerfile: DOCKERFILE, source: 'one\n' });
      const large = await build('one', path, {
        cacheTo: [{ ...registry('large'), mounts: ['mine'], mountLimit: 100 }],
      });
      expect(large.warnings_).toEqual([
        'the cache mount mine is not exported: the cache mount mine has more than the limit of 100 bytes',
      ]);
      const fd = openSync(join(home('one'), '0.lock'), 'a');
      try {
        loadSys().flock(fd, 'shared');
        const busy = await runSlipway(['cache', 'export', 'mine', '-o', 'busy.tar'], cli('one'));
        expect([busy.exitCode, busy.stderr]).toEqual([
          1,
          'Error: a running build has it mounted: mine\nHint: Wait for the build to end, then try again.\n',
        ]);
        expect(existsSync(join(place.folder, 'busy.tar'))).toBe(false);
      } finally {
        closeSync(fd);
      }
    });

    test('an archive that no cache mount can be is refused, and the step begins with an empty one', async () => {
      const folder = join(place.folder, 'odd');
      mkdirSync(folder);
      writeFileSync(join(folder, '.wh.file'), '');
      writeFileSync(join(folder, 'file'), 'x');
      const tar = execFileSync('tar', ['-C', folder, '-cf', '-', '.wh.file']);
      const plain = execFileSync('tar', ['-C', folder, '-cf', '-', 'file']);
      const put = async (bytes: Buffer): Promise<string> => {
        const digest = digestOf(bytes);
        await place.client.putUpload(await place.client.startUpload('odd'), digest, bytes);
        return digest;
      };
      const push = async (
        archive: Buffer,
        mount: Omit<CacheDocument['mounts'][number], 'id'>,
      ): Promise<void> => {
        const blob = gzipSync(archive);
        const config = Buffer.from(
          JSON.stringify({
            format: 1,
            layers: [],
            mounts: [{ id: 'mine', ...mount }],
            steps: [],
            contents: [],
          }),
        );
        await pushDocument(place.client, 'odd', {
          tag: 'latest',
          document: {
            schemaVersion: 2,
            mediaType: OCI.manifest,
            config: { mediaType: CACHE_CONFIG_TYPE, digest: await put(config), size: config.length },
            layers: [{ mediaType: `${CACHE_MOUNT_TYPE}+gzip`, digest: await put(blob), size: blob.length }],
          },
        });
      };
      const path = context({ Dockerfile: DOCKERFILE, source: 'one\n' });
      const cacheFrom = [registry('odd')];
      await push(tar, { diffId: digestOf(tar), size: 0 });
      const odd = await build('one', path, { cacheFrom });
      expect([odd.output, odd.warnings_]).toEqual([
        'one\n',
        [
          'the cache mount mine begins empty: a cache mount holds files, directories and links, not devices or whiteouts',
        ],
      ]);
      await push(plain, { diffId: `sha256:${'0'.repeat(64)}`, size: 1 });
      expect((await build('two', path, { cacheFrom })).warnings_[0]).toContain('has the digest');
      // More than it says.
      await push(plain, { diffId: digestOf(plain), size: 0 });
      const bomb = await build('three', path, { cacheFrom });
      expect([bomb.output, bomb.warnings_]).toEqual([
        'one\n',
        ['the cache mount mine begins empty: the files of a layer have more than 0 bytes'],
      ]);
      for (const machine of ['one', 'two', 'three'])
        expect(readdirSync(join(root(machine), 'tmp')), machine).toEqual([]);
    });

    test('by hand: through pipes, files, directories and registries', async () => {
      const path = context({
        Dockerfile: `FROM HOST/base
RUN --mount=type=cache,id=a,target=/a --mount=type=cache,id=b,target=/b mkdir -p /a/dir && echo A > /a/dir/file && ln -s file /a/dir/link && ln /a/dir/file /a/hard && echo B > /b/file
`,
      });
      await build('one', path);
      const tar = (await runSlipway(['cache', 'export', 'a', 'b', '-o', 'caches.tar'], cli('one'))).stderr;
      expect(tar).toBe('');
      // Standard output is binary: it goes on as it is.
      const launcher = join(import.meta.dirname, '../../../bin/slipway.js');
      const pipe = `'${process.execPath}' '${launcher}' cache export a | SLIPWAY_ROOT='${root('two')}' '${process.execPath}' '${launcher}' cache import`;
      const piped = execFileSync('sh', ['-c', pipe], {
        env: { ...process.env, SLIPWAY_ROOT: root('one') },
        encoding: 'utf8',
      });
      expect(piped).toBe('a\n');
      expect(treeOf(join(home('two', 'a'), '0'))).toEqual(treeOf(join(home('one', 'a'), '0')));
      for (const output of ['layout/', 'oci-archive:named.tar:mine', `docker://${place.proxy.host}/hand:1`]) {
        const machine = `for-${output.length}`;
        await slipway(['cache', 'export', 'a', 'b', '-o', output], cli('one'));
        expect(await slipway(['cache', 'import', '-i', output, 'b'], cli(machine))).toBe('b\n');
        expect(await slipway(['cache', 'ls', '-q'], cli(machine))).toBe('b\n');
        expect(await slipway(['cache', 'import', '-i', output], cli(machine))).toBe('a\nb\n');
        expect(readFileSync(join(home(machine, 'b'), '0', 'file'), 'utf8')).toBe('B\n');
      }
      execFileSync('skopeo', ['inspect', '--raw', `oci-archive:${join(place.folder, 'caches.tar')}`]);
      // A build takes them from there too.
      const second = context({
        Dockerfile: 'FROM HOST/base\nRUN --mount=type=cache,id=a,target=/a cat /a/hard\n',
      });
      const src = join(place.folder, 'layout');
      expect((await build('three', second, { cacheFrom: [{ type: 'local', src }] })).output).toBe('A\n');
      const none = await runSlipway(['cache', 'import', '-i', 'caches.tar', 'c'], cli('four'));
      expect([none.exitCode, none.stderr]).toEqual([
        1,
        'Error: no such cache mount: c\nHint: In it are a, b.\n',
      ]);
      const limited = await runSlipway(['cache', 'import', '-i', 'caches.tar', '--limit=1'], cli('four'));
      expect(limited.stderr).toContain('Error: the cache mount a has more than the limit of 1 bytes');
    });

    test('killed while one is unpacked: the old one stays, nothing else does', async () => {
      const files = 'for i in $(seq 1500); do echo $i > /c/$i; done';
      const dockerfile = (script: string): string =>
        `FROM HOST/base\nRUN --mount=type=cache,id=mine,target=/c ${script}\n`;
      await build('one', context({ Dockerfile: dockerfile(files) }));
      await slipway(['cache', 'export', 'mine', '-o', 'large.tar'], cli('one'));
      await build('two', context({ Dockerfile: dockerfile('echo old > /c/old') }));
      const tmp = join(root('two'), 'tmp');
      const child = startSlipway(['cache', 'import', '-i', 'large.tar'], cli('two'));
      const end = ended(child);
      await expect
        .poll(() => readdirSync(tmp).some((name) => name.includes('.cache-')), {
          timeout: 60_000,
          interval: 1,
        })
        .toBe(true);
      child.kill('SIGKILL');
      await end;
      const kept = readdirSync(join(home('two'), '0'));
      expect([1, 1500]).toContain(kept.length);
      expect(await slipway(['cache', 'import', '-i', 'large.tar'], cli('two'))).toBe('mine\n');
      expect(readdirSync(join(home('two'), '0'))).toHaveLength(1500);
      await expect
        .poll(
          async () => {
            await slipway(['cache', 'ls'], cli('two'));
            return readdirSync(tmp);
          },
          { timeout: 60_000 },
        )
        .toEqual([]);
    });

    /** What a directory holds with types, modes, times and links, as GNU tar lists it. */
    function treeOf(path: string): string {
      const tar = execFileSync('tar', [
        '--sort=name',
        '--numeric-owner',
        '-C',
        path,
        '-cf',
        '-',
        'dir',
        'hard',
      ]);
      return execFileSync('tar', ['--full-time', '--numeric-owner', '-tvf', '-'], {
        input: tar,
        encoding: 'utf8',
      });
    }
  },
);
