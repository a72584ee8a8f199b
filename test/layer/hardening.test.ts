import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashLayer } from '../../src/layer/pack.ts';
import { encodePax } from '../../src/layer/tar-pax.ts';
import { unpackLayer } from '../../src/layer/unpack.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { describeWith, root, testWith } from '../support/need.ts';
import {
  extended,
  failure,
  makeTar,
  type Part,
  patch,
  pieces,
  readTar,
  tempDir,
  treeOf,
  unpack,
} from './support.ts';

/** Unpacks below a directory with a guarded neighbour, and says what became of both. */
async function attack(
  parts: Part[] | Buffer,
): Promise<{ layer: string[]; outside: string[]; error?: string }> {
  const box = tempDir();
  const dir = join(box, 'a/b/layer');
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(join(box, 'victim'), 'safe');
  fs.mkdirSync(join(box, 'victims'));
  const tar = Buffer.isBuffer(parts) ? parts : makeTar(parts);
  const error = await failure(() => unpackLayer(pieces(tar), dir));
  expect(fs.readFileSync(join(box, 'victim'), 'utf8')).toBe('safe');
  const outside = treeOf(box)
    .map((line) => line.split(' ')[0]!)
    .filter((path) => !path.startsWith('a/b/layer/'));
  const layer = treeOf(dir).map((line) => line.split(' ').slice(0, 2).join(' '));
  return { layer, outside, ...(error === 'no failure' ? undefined : { error }) };
}

const untouched = ['a', 'a/b', 'a/b/layer', 'victim', 'victims'];

/** The code of the error that an archive's header leads to. */
const codeOf = async (tar: Buffer) => (await failure(() => readTar(tar))).split(':')[0];

const patched = (offset: number, bytes: string) =>
  patch(makeTar([{ path: 'a', content: 'x' }]), offset, bytes);

describeWith({ needs: [root()] }, 'paths stay inside', () => {
  test('.. and absolute paths are clamped', async () => {
    const seen = await attack([
      { path: '../../../victim', content: 'evil' },
      { path: '/victims/x', content: 'evil' },
      { path: 'd/../../../up', content: 'evil' },
      { path: '/../../etc/./passwd', content: 'evil' },
      { path: '..', type: 'directory' },
      { path: '../../../victims/', mode: 0o777 },
    ]);
    expect(seen).toEqual({
      layer: ['etc d', 'etc/passwd f', 'up f', 'victim f', 'victims d', 'victims/x f'],
      outside: untouched,
    });
  });

  test('a symlink, then a write through it', async () => {
    const seen = await attack([
      { path: 'abs', type: 'symlink', link: '/victims' },
      { path: 'abs/x', content: 'evil' },
      { path: 'rel', type: 'symlink', link: '../../../victims' },
      { path: 'rel/y', content: 'evil' },
      { path: 'rel/deep/z', content: 'evil' },
      { path: 'file', type: 'symlink', link: '../../../victim' },
      { path: 'file', content: 'evil' },
    ]);
    // As Docker and umoci do, the links are resolved inside the layer.
    expect(seen).toEqual({
      layer: [
        'abs l',
        'file f',
        'rel l',
        'victims d',
        'victims/deep d',
        'victims/deep/z f',
        'victims/x f',
        'victims/y f',
      ],
      outside: untouched,
    });
  });

  test('symlinks in a ring', async () => {
    const seen = await attack([
      { path: 'a', type: 'symlink', link: 'b' },
      { path: 'b', type: 'symlink', link: 'a' },
      { path: 'a/x', content: 'evil' },
    ]);
    expect(seen.error).toBe('invalid TAR_LINK_LOOP: too many symbolic links in a path of a tar entry');
  });

  test('metadata does not go through a symlink', async () => {
    const victim = join(tempDir(), 'victim');
    fs.writeFileSync(victim, 'safe', { mode: 0o600 });
    const tar = makeTar([
      { path: 'l', type: 'symlink', link: victim, mode: 0o777, uid: 5, gid: 5, mtimeNs: 5n },
    ]);
    const { dir } = await unpack(tar);
    expect(fs.statSync(victim)).toMatchObject({ mode: 0o100600, uid: process.getuid!() });
    expect(fs.lstatSync(join(dir, 'l'), { bigint: true }).mtimeNs).toBe(5n);
  });

  test.each(['../../../victim', '/victim', 'missing', 'dir', 'gone', 'out', 'out/victim', '', '.'])(
    'a hard link to %j',
    async (link) => {
      const seen = await attack([
        { path: 'dir/' },
        { path: '.wh.gone' },
        { path: 'out', type: 'symlink', link: '../../..' },
        { path: 'hard', type: 'hardlink', link },
        { path: 'hard', content: 'evil' },
      ]);
      if (link === 'out') {
        // A hard link to the symlink itself; it is replaced by the next entry, not followed.
        expect(seen).toEqual({ layer: ['dir d', 'gone c', 'hard f', 'out l'], outside: untouched });
      } else {
        expect(seen.error).toMatch(/^invalid TAR_LINK_TARGET: .* is not a file of this layer$/);
        expect(seen.outside).toEqual(untouched);
      }
    },
  );

  test('a hard link in the place of its own target', async () => {
    const seen = await attack([
      { path: 'd/f', content: 'x' },
      { path: 'd', type: 'hardlink', link: 'd/f' },
    ]);
    expect(seen.error).toBe('invalid TAR_LINK_TARGET: /d: a hard link takes the place of its own target');
  });

  test('an entry below a file', async () => {
    const seen = await attack([
      { path: 'f', content: 'x' },
      { path: 'f/g', content: 'y' },
    ]);
    expect(seen.error).toBe('invalid NOT_A_DIRECTORY: a tar entry lies below /f, which is not a directory');
  });

  test('an entry that would replace the root', async () => {
    const seen = await attack([{ path: './', type: 'symlink', link: '/victims' }]);
    expect(seen.error).toBe('invalid TAR_ROOT: a tar entry would replace the root directory');
  });
});

describeWith({ needs: [root()] }, 'marks of overlayfs', () => {
  test.each(['.wh..', '.wh...', 'd/.wh...', '.wh.'])('a whiteout %j', async (path) => {
    expect((await attack([{ path }])).error).toMatch(
      /^invalid TAR_WHITEOUT: a tar archive has a whiteout of "\.{0,2}"$/,
    );
  });

  test('whiteouts and opaque marks outside', async () => {
    const seen = await attack([
      { path: '../../../.wh.victim' },
      { path: '/../../../victims/.wh..wh..opq' },
      { path: 'l', type: 'symlink', link: '/../../../victims' },
      { path: 'l/.wh.x' },
    ]);
    expect(seen).toEqual({ layer: ['l l', 'victim c', 'victims d', 'victims/x c'], outside: untouched });
  });

  test('a character device 0:0 is refused', async () => {
    expect((await attack([{ path: 'etc', type: 'char', major: 0, minor: 0 }])).error).toBe(
      'invalid TAR_DEVICE: a tar entry is a character device 0:0, which overlayfs takes for a whiteout',
    );
  });

  test.each([
    [4096, 0],
    [0, 1048576],
    [4096, 1048576],
  ])('a character device %i:%i, whose low bits are 0:0, is refused', async (major, minor) => {
    expect((await attack([{ path: 'etc', type: 'char', major, minor }])).error).toBe(
      `invalid TAR_DEVICE: a tar entry is a device ${major}:${minor}, which Linux does not have`,
    );
  });

  testWith({ needs: [root()] }, 'attributes of overlayfs are dropped, in any spelling', async () => {
    const names = [
      'trusted.overlay.opaque',
      'user.overlay.opaque',
      'trusted.overlay.redirect',
      'security.selinux',
    ];
    const xattrs = new Map(names.map((name) => [name, Buffer.from('y')]));
    const { dir, entries } = await unpack(
      makeTar([
        { path: 'd/', xattrs },
        { path: 'f', xattrs },
      ]),
    );
    const sys = loadSys();
    expect([sys.llistxattr(join(dir, 'd')), sys.llistxattr(join(dir, 'f'))]).toEqual([[], []]);
    expect(entries.every((entry) => entry.xattrs === undefined && !entry.opaque)).toBe(true);
  });
});

describe('archives that lie', () => {
  const pax = (body: Buffer) => Buffer.concat([extended(body), makeTar([{ path: 'a', content: 'x' }])]);
  const record = (key: string, value: string) => Buffer.from(encodePax(key, value));

  test('a wrong checksum', async () => {
    const tar = makeTar([{ path: 'a' }]);
    tar[0] = 98;
    expect(await codeOf(tar)).toBe('invalid TAR_CHECKSUM');
    expect(await codeOf(Buffer.alloc(2048, 'not a tar archive'))).toBe('invalid TAR_NUMBER');
  });

  test('truncated anywhere', async () => {
    const tar = makeTar([{ path: 'n'.repeat(150), content: 'x'.repeat(700) }, { path: 'b' }]);
    const end = tar.length - 1024;
    for (let at = 1; at < end; at += 97) {
      // After a whole entry nothing is missing: the end blocks are optional.
      if (at % 512 === 0) continue;
      expect(await codeOf(tar.subarray(0, at))).toBe('invalid TAR_TRUNCATED');
    }
    expect(await codeOf(tar.subarray(0, 1024))).toBe('invalid TAR_TRUNCATED');
    expect(await codeOf(tar.subarray(0, end))).toBe('no failure');
  });

  test('a lone zero block, an unknown type', async () => {
    const tar = makeTar([{ path: 'a' }]);
    expect(await codeOf(Buffer.concat([Buffer.alloc(512), tar]))).toBe('invalid TAR_ZERO_BLOCK');
    expect(await codeOf(patched(156, 'Z'))).toBe('invalid TAR_TYPE');
  });

  test('numbers that are none, negative or too large', async () => {
    expect(await codeOf(patched(124, '00000000009'))).toBe('invalid TAR_NUMBER');
    expect(await codeOf(patched(124, '\xff'.repeat(12)))).toBe('invalid TAR_NUMBER');
    expect(await codeOf(patched(124, `\x80${'\x7f'.repeat(11)}`))).toBe('invalid TAR_NUMBER');
    expect(await codeOf(patched(108, '\xff'.repeat(8)))).toBe('invalid TAR_NUMBER');
    expect(await codeOf(patched(108, '\x80\0\0\x01\0\0\0\0'))).toBe('invalid TAR_NUMBER');
    expect(await codeOf(patched(124, `\x80${'\0'.repeat(4)}\x10${'\0'.repeat(6)}`))).toBe(
      'invalid TAR_TRUNCATED',
    );
  });

  test.each([
    ['no length', Buffer.from(' path=a\n')],
    ['a length beyond the end', Buffer.from('99 path=a\n')],
    ['a length that is too short', Buffer.from('5 path=a\n')],
    ['a length of zero', Buffer.from('0 path=a\n')],
    ['a huge length', Buffer.from('99999999999999999999 path=a\n')],
    ['no newline', Buffer.from('9 path=ab')],
    ['no key', Buffer.from('5 =a\n')],
    ['a NUL in the path', record('path', 'a\0b')],
    ['a size that is no number', record('size', '-5')],
    ['a time that is none', record('mtime', '1e9')],
    ['a uid beyond 32 bits', record('uid', '4294967296')],
    ['a uid that chown ignores', record('uid', '4294967295')],
    ['a time beyond all ages', record('mtime', '1000000000000000')],
    ['a NUL in the name of an attribute', record('SCHILY.xattr.user.a\0b', 'x')],
    ['an escaped NUL in the name of an attribute', record('LIBARCHIVE.xattr.user.a%00b', 'x')],
  ])('a PAX header with %s', async (_, body) => {
    expect(await codeOf(pax(body))).toMatch(/^invalid TAR_(PAX|NUMBER)$/);
  });

  test('a PAX header, a path and global headers beyond their limits are named', async () => {
    expect(await failure(() => readTar(pax(Buffer.alloc((1 << 20) + 1))))).toBe(
      'invalid TAR_HEADER_TOO_LARGE: an extended tar header is larger than 1048576 bytes',
    );
    expect(await failure(() => readTar(pax(record('path', 'p'.repeat(4097)))))).toBe(
      'invalid TAR_PATH_TOO_LONG: path in a tar header is longer than 4096 bytes',
    );
    const global = extended(record(`SCHILY.xattr.user.${'k'.repeat(1000)}`, 'v'.repeat(600_000)), 'g');
    expect(await failure(() => readTar(Buffer.concat([global, global])))).toBe(
      'invalid TAR_HEADER_TOO_LARGE: the global tar headers are larger than 1048576 bytes',
    );
  });

  test.each([
    ['parts that overlap', '0,2,1,2', '10'],
    ['a part beyond the end', '9,4', '10'],
    ['parts that do not add up', '0,2', '10'],
    ['half a part', '0', '10'],
    ['words', 'a,b', '10'],
    ['offsets beyond 2^53', '99999999999999999,4', '10'],
  ])('a sparse map with %s', async (_, map, size) => {
    const body = Buffer.concat([record('GNU.sparse.map', map), record('GNU.sparse.size', size)]);
    const tar = pax(body);
    expect(await codeOf(tar)).toBe('invalid TAR_SPARSE');
  });

  test('a map that never ends', async () => {
    const body = Buffer.concat([
      record('GNU.sparse.major', '1'),
      record('GNU.sparse.minor', '0'),
      record('GNU.sparse.realsize', '10'),
    ]);
    const content = Buffer.alloc(5120, '1');
    expect(await codeOf(Buffer.concat([extended(body), makeTar([{ path: 'a', content }])]))).toBe(
      'invalid TAR_SPARSE',
    );
  });
});

describe('bombs', () => {
  test('more entries or bytes than allowed, holes included', async () => {
    const many = makeTar(Array.from({ length: 20 }, (_, i) => ({ path: `${i}`, content: 'x'.repeat(100) })));
    expect(await failure(() => unpack(many, { maxEntries: 19 }))).toBe(
      'exhausted LAYER_TOO_MANY_ENTRIES: a layer has more than 19 entries',
    );
    expect(await failure(() => unpack(many, { maxBytes: 1999 }))).toBe(
      'exhausted LAYER_TOO_LARGE: the files of a layer have more than 1999 bytes',
    );
    expect((await unpack(many, { maxEntries: 20, maxBytes: 2000 })).size).toBe(2000);
    const xattrs = new Map([['user.a', Buffer.alloc(1000)]]);
    const wordy = makeTar(Array.from({ length: 20 }, (_, i) => ({ path: `${i}`, xattrs })));
    expect(await failure(() => unpack(wordy, { maxMetadata: 20_000 }))).toBe(
      'exhausted LAYER_METADATA_TOO_LARGE: the names and attributes of a layer have more than 20000 bytes',
    );
    const sparse = makeTar([{ path: 'x', content: '' }]);
    const body = Buffer.from(
      encodePax('GNU.sparse.map', '4503599627370496,0') + encodePax('GNU.sparse.size', '4503599627370496'),
    );
    expect(await failure(() => unpack(Buffer.concat([extended(body), sparse])))).toBe(
      'exhausted LAYER_TOO_LARGE: the files of a layer have more than 274877906944 bytes',
    );
  });

  test('a cancel stops inside a huge hole', async () => {
    const body = Buffer.from(
      encodePax('GNU.sparse.map', '200000000000,0') + encodePax('GNU.sparse.size', '200000000000'),
    );
    let looks = 0;
    const tar = Buffer.concat([extended(body), makeTar([{ path: 'x' }])]);
    expect(await failure(() => unpack(tar, { aborted: () => ++looks > 5 }))).toBe(
      'canceled CANCELED: canceled',
    );
  });

  test('a name that the file system cannot hold', async () => {
    expect((await failure(() => unpack(makeTar([{ path: 'n'.repeat(256) }])))).split(':')[0]).toBe(
      'invalid TAR_PATH_TOO_LONG',
    );
  });
});

testWith(
  { needs: [root()] },
  'archives with damaged bytes are refused or unpacked inside, and nothing else happens',
  async () => {
    const xattrs = new Map([['user.a', Buffer.from('value')]]);
    const parts: Part[] = [
      { path: 'd/', xattrs },
      { path: `d/${'n'.repeat(120)}`, content: 'x'.repeat(700), mtimeNs: 1n },
      { path: 'l', type: 'symlink', link: '../../../victims' },
      { path: 'l/.wh.x' },
      { path: 'h', type: 'hardlink', link: `d/${'n'.repeat(120)}` },
      { path: 'd/.wh..wh..opq' },
      { path: 'c', type: 'char', major: 1, minor: 3 },
    ];
    const blocks = makeTar(parts).length / 512 - 2;
    const damage = fc.record({
      block: fc.nat(blocks - 1),
      at: fc.oneof(fc.nat(511), fc.constantFrom(0, 100, 108, 124, 136, 156, 157, 257)),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 12 }).map((b) => Buffer.from(b).toString('latin1')),
        fc.constantFrom(
          '../',
          '/',
          '.wh.',
          '..',
          '\xff\xff\xff\xff',
          '0',
          '1',
          '2',
          '5',
          'x',
          'g',
          'S',
          'L',
          '\0',
          '9999',
        ),
      ),
      // Most damage would only be found by the checksum, so some of it is given the right one.
      honest: fc.boolean(),
    });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (list) => {
        const tar = makeTar(parts);
        for (const { block, at, bytes, honest } of list) {
          const view = tar.subarray(block * 512, block * 512 + 512);
          if (honest && at < 500) patch(view, at, bytes);
          else view.write(bytes, at, 'latin1');
        }
        const { outside, error } = await attack(tar);
        expect(outside).toEqual(untouched);
        if (error !== undefined) {
          expect(error).toMatch(/^(invalid|exhausted) [A-Z_]+: /);
          refused++;
        }
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(20);
  },
);

testWith({ needs: [root()] }, 'a fifo or device in a layer is never opened', () => {
  const dir = tempDir();
  loadSys().mknod(join(dir, 'pipe'), 0o010644, 0, 0);
  loadSys().mknod(join(dir, 'tty'), 0o020644, 5, 0);
  expect(
    hashLayer(dir)
      .entries.filter((e) => e.path !== '')
      .map((e) => e.type),
  ).toEqual(['fifo', 'char']);
});
