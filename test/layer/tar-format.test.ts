import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TarHeader, TarType } from '../../src/layer/tar-format.ts';
import { encodeTarHeader } from '../../src/layer/tar-write.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { root, testWith } from '../support/need.ts';
import { makeTar, python, readTar, tempDir } from './support.ts';

/** Names as kernels allow them: any bytes but NUL and slash. */
const name = fc
  .oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[a-zA-Z0-9._ -]{1,12}$/) },
    { weight: 2, arbitrary: fc.stringMatching(/^[a-z]{90,160}$/) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('ü', '日本', 'é'.repeat(60)).map((s) => Buffer.from(s).toString('latin1')),
    },
    {
      weight: 2,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 12 }).map((b) => Buffer.from(b).toString('latin1')),
    },
  )
  .map((s) => s.replace(/[\0/]/g, '_'))
  .filter((s) => s !== '.' && s !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('/'));
const id = fc.oneof(
  fc.nat(70000),
  fc.integer({ min: 2097150, max: 2097153 }),
  fc.integer({ min: 0, max: 0xfffffffe }),
);
const mtimeNs = fc.oneof(
  fc.bigInt({ min: 0n, max: 4_000_000_000n }).map((s) => s * 1_000_000_000n),
  fc.bigInt({ min: -(10n ** 24n) + 1n, max: 10n ** 24n - 1n }),
  fc.constantFrom(-1n, 1n, -1_500_000_000n, 8589934591n * 1_000_000_000n, 8589934592n * 1_000_000_000n),
);
const xattrs = fc
  .array(
    fc.tuple(fc.stringMatching(/^user\.[a-z=%. ]{1,10}$/), fc.uint8Array({ minLength: 1, maxLength: 300 })),
    {
      maxLength: 3,
    },
  )
  .map((list) => new Map(list.map(([key, value]) => [key, Buffer.from(value)])));

const header: fc.Arbitrary<TarHeader> = fc
  .record({
    path,
    type: fc.constantFrom<TarType>('file', 'hardlink', 'symlink', 'char', 'block', 'directory', 'fifo'),
    mode: fc.nat(0o7777),
    uid: id,
    gid: id,
    size: fc.oneof(fc.nat(2000), fc.constantFrom(8589934591, 8589934592, 2 ** 45)),
    mtimeNs,
    link: path,
    major: fc.nat(4095),
    minor: fc.nat(1048575),
    xattrs,
  })
  .map(({ link, major, minor, xattrs: attributes, ...rest }) => {
    const { type } = rest;
    const made: TarHeader = { ...rest, size: type === 'file' ? rest.size : 0 };
    if (type === 'directory') made.path += '/';
    if (type === 'symlink' || type === 'hardlink') made.link = link;
    if (type === 'char' || type === 'block') Object.assign(made, { major, minor });
    if (attributes.size > 0) made.xattrs = attributes;
    return made;
  });

test('what is written is read again, in chunks of any size', () => {
  fc.assert(
    fc.property(
      fc.array(header, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      (headers, size) => {
        const small = headers.map((h) => (h.size > 3000 ? { ...h, size: 0 } : h));
        const tar = makeTar(small.map((h) => ({ ...h, content: Buffer.alloc(h.size, 7) })));
        const read = readTar(tar, size).map(({ content, ...h }) => {
          expect(content.equals(Buffer.alloc(h.size, 7))).toBe(true);
          return h;
        });
        expect(read).toEqual(small);
      },
    ),
    { numRuns: 300 },
  );
});

const pythonList = `
import sys, tarfile, io, json
data = sys.stdin.buffer.read()
raw = lambda s: s.encode('utf-8', 'surrogateescape').decode('latin1')
with tarfile.open(fileobj=io.BytesIO(data), mode='r:', encoding='utf-8', errors='surrogateescape') as t:
    print(json.dumps([[raw(m.name), m.type.decode('latin1'), m.mode, m.uid, m.gid, m.size, repr(float(m.mtime)),
        raw(m.linkname), m.devmajor, m.devminor] for m in t]))
`;

test('Python reads what is written', () => {
  const flags = { file: '0', hardlink: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' };
  const headers = fc
    .sample(header, { numRuns: 400, seed: 42 })
    .map((h) => (h.size > 2000 ? { ...h, size: 0 } : h));
  const tar = makeTar(headers.map((h) => ({ ...h, content: Buffer.alloc(h.size) })));
  const seen = JSON.parse(python(pythonList, tar).toString()) as unknown[][];
  const wanted = headers.map((h) => [
    h.path.replace(/\/+$/, ''),
    flags[h.type],
    h.mode,
    h.uid,
    h.gid,
    h.size,
    expect.anything(),
    h.link ?? '',
    h.major ?? 0,
    h.minor ?? 0,
  ]);
  expect(seen).toEqual(wanted);
  seen.forEach((entry, i) => {
    // Python has it as a float of 53 bits.
    const wanted = Number(headers[i]!.mtimeNs) / 1e9;
    expect(Math.abs(Number(entry[6]) - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 2 ** -51);
  });
});

test('GNU tar lists what is written without complaint', () => {
  const headers = fc
    .sample(header, { numRuns: 200, seed: 7 })
    .filter((h) => h.size <= 2000 && !/[\0-\x1f\\]/.test(h.path + (h.link ?? '')));
  const tar = makeTar(headers.map((h) => ({ ...h, content: Buffer.alloc(h.size) })));
  const file = join(tempDir(), 'x.tar');
  fs.writeFileSync(file, tar);
  const out = execFileSync('tar', ['--quoting-style=literal', '--show-transformed-names', '-tPf', file], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  expect(out.trimEnd().split('\n')).toEqual(headers.map((h) => h.path));
});

test('a header over 8 GiB is read alike by all', () => {
  const size = 9 * 2 ** 30;
  const block = encodeTarHeader({
    path: 'big',
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtimeNs: 0n,
  });
  const script = `import sys, tarfile\nb = sys.stdin.buffer.read()\nprint(tarfile.open(fileobj=__import__('io').BytesIO(b)).next().size)`;
  expect(python(script, block).toString().trim()).toBe(String(size));
  const out = execFileSync('sh', ['-c', 'tar -tvf - 2>/dev/null || true'], {
    input: block,
    encoding: 'utf8',
  });
  expect(out).toContain(` ${size} `);
});

test('plain entries take one block, and nothing of the machine is in it', () => {
  const block = encodeTarHeader({
    path: `${'d'.repeat(80)}/${'f'.repeat(90)}`,
    type: 'file',
    mode: 0o755,
    uid: 1000,
    gid: 1000,
    size: 5,
    mtimeNs: 1_600_000_000_000_000_000n,
  });
  expect(block.length).toBe(512);
  expect(
    block
      .toString('latin1')
      .replace(/\0/g, '.')
      .replace(/\.{9,}/g, '…'),
  ).toMatchInlineSnapshot(
    `"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff…0000755.0001750.0001750.00000000005.13727410000.050724. 0…ustar.00…0000000.0000000.dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd…"`,
  );
});

describe('archives of other programs', () => {
  const source = tempDir();
  fs.mkdirSync(join(source, 'dir'));
  fs.writeFileSync(join(source, 'dir/file'), 'content\n');
  fs.chmodSync(join(source, 'dir/file'), 0o640);
  fs.linkSync(join(source, 'dir/file'), join(source, 'dir/hard'));
  fs.symlinkSync('file', join(source, 'dir/soft'));
  const odd = Buffer.concat([Buffer.from(join(source, 'dir/')), Buffer.from([0xff, 0x80, 0x41])]);
  fs.writeFileSync(odd, 'odd');
  const times = ['2001-02-03T04:05:06.123456789Z', '1960-01-01T00:00:00.5Z', '2100-01-01T00:00:00Z'];
  times.forEach((time, i) => {
    fs.writeFileSync(join(source, `t${i}`), '');
    execFileSync('touch', ['-d', time, join(source, `t${i}`)]);
  });
  const long = `${'l'.repeat(120)}/${'m'.repeat(200)}`;

  test.each(['v7', 'ustar', 'oldgnu', 'gnu', 'posix'])('GNU tar --format=%s', (format) => {
    const names = [
      'dir',
      ...(format === 'posix' || format === 'gnu' || format === 'oldgnu' ? ['t0', 't1', 't2'] : ['t0']),
    ];
    const args = [
      '--sort=name',
      '--numeric-owner',
      '--owner=3000000',
      '--group=5',
      `--format=${format}`,
      '-C',
      source,
    ];
    if (format === 'v7' || format === 'ustar') args[2] = '--owner=1000';
    const tar = execFileSync('tar', [...args, '-cf', '-', ...names]);
    const read = readTar(tar, 777).map((e) =>
      [
        e.path,
        e.type,
        e.mode.toString(8),
        e.uid,
        e.gid,
        e.link ?? '',
        JSON.stringify(e.content.toString()),
      ].join(' '),
    );
    const uid = format === 'v7' || format === 'ustar' ? 1000 : 3000000;
    expect(read.slice(0, 6)).toEqual([
      `dir/ directory 755 ${uid} 5  ""`,
      `dir/file file 640 ${uid} 5  "content\\n"`,
      `dir/hard hardlink 640 ${uid} 5 dir/file ""`,
      `dir/soft symlink 777 ${uid} 5 file ""`,
      `dir/\xff\x80A file 644 ${uid} 5  "odd"`,
      `t0 file 644 ${uid} 5  ""`,
    ]);
    const stamps = readTar(tar)
      .slice(5)
      .map((e) => e.mtimeNs);
    const [first, second, third] = [981_173_106n, -315_619_200n, 4_102_444_800n].map(
      (t) => t * 1_000_000_000n,
    );
    if (format === 'posix') expect(stamps).toEqual([first! + 123_456_789n, second! + 500_000_000n, third]);
    else expect(stamps).toEqual([first, second, third].slice(0, names.length - 1));
  });

  test('long names of GNU tar, gnu and posix', () => {
    fs.mkdirSync(join(source, 'l'.repeat(120)));
    fs.writeFileSync(join(source, long), 'deep');
    fs.symlinkSync('t'.repeat(300), join(source, 'l'.repeat(120), 'link'));
    for (const format of ['gnu', 'posix']) {
      const args = ['--sort=name', `--format=${format}`, '-C', source, '-cf', '-', 'l'.repeat(120)];
      const read = readTar(execFileSync('tar', args), 513);
      expect(read.map((e) => [e.path, e.link, e.content.toString()])).toEqual([
        [`${'l'.repeat(120)}/`, undefined, ''],
        [`${'l'.repeat(120)}/link`, 't'.repeat(300), ''],
        [long, undefined, 'deep'],
      ]);
    }
  });

  test.each([
    ['gnu', []],
    ['oldgnu', []],
    ['posix', ['--sparse-version=0.0']],
    ['posix', ['--sparse-version=0.1']],
    ['posix', ['--sparse-version=1.0']],
  ])('sparse files of GNU tar, %s %j', (format, more) => {
    const file = join(source, 'sparse');
    const content = Buffer.alloc(40 * 65536 + 100);
    const fd = fs.openSync(file, 'w');
    fs.ftruncateSync(fd, content.length);
    for (let i = 1; i < 40; i += 1) {
      fs.writeSync(fd, `part ${i}`, i * 65536);
      content.write(`part ${i}`, i * 65536);
    }
    fs.closeSync(fd);
    const args = [
      '-S',
      '--hole-detection=raw',
      `--format=${format}`,
      ...more,
      '-C',
      source,
      '-cf',
      '-',
      'sparse',
      't0',
    ];
    const tar = execFileSync('tar', args);
    expect(tar.length).toBeLessThan(content.length / 2);
    for (const size of [100, 512, 100_000]) {
      const [entry, next] = readTar(tar, size);
      expect(entry).toMatchObject({ path: 'sparse', type: 'file', size: content.length });
      expect(entry!.content.equals(content)).toBe(true);
      expect(next!.path).toBe('t0');
    }
  });

  testWith({ needs: [root()] }, 'binary attributes of GNU tar', () => {
    const file = join(source, 'attributed');
    fs.writeFileSync(file, '');
    const value = Buffer.from([0, 1, 10, 61, 255, 128, 0]);
    loadSys().lsetxattr(file, 'trusted.a=%b', value);
    const tar = execFileSync('tar', [
      '--xattrs',
      '--xattrs-include=*',
      '--format=posix',
      '-C',
      source,
      '-cf',
      '-',
      'attributed',
    ]);
    expect(readTar(tar)[0]!.xattrs).toEqual(new Map([['trusted.a=%b', value]]));
  });

  test('global headers apply to all, local ones win, an empty one takes back', () => {
    const made = python(`
import tarfile, io, sys
out = io.BytesIO()
t = tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT, pax_headers={'gid': '3000001', 'SCHILY.xattr.user.g': 'all'})
for name, headers in [('a', {}), ('b', {'gid': '7', 'SCHILY.xattr.user.g': 'own'}), ('c', {'gid': ''})]:
    m = tarfile.TarInfo(name); m.pax_headers = headers; t.addfile(m)
t.close(); sys.stdout.buffer.write(out.getvalue())`);
    const seen = readTar(made).map((e) => [e.path, e.gid, e.xattrs?.get('user.g')?.toString()]);
    expect(seen).toEqual([
      ['a', 3000001, 'all'],
      ['b', 7, 'own'],
      ['c', 0, 'all'],
    ]);
  });

  test('attributes in the form of libarchive', () => {
    const value = Buffer.from([0, 255, 1]);
    const made = python(`
import tarfile, io, sys
out = io.BytesIO()
t = tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT)
m = tarfile.TarInfo('a'); m.pax_headers = {'LIBARCHIVE.xattr.user.a%25b': '${value.toString('base64').replace(/=+$/, '')}'}
t.addfile(m); t.close(); sys.stdout.buffer.write(out.getvalue())`);
    expect(readTar(made)[0]!.xattrs).toEqual(new Map([['user.a%b', value]]));
  });
});
