import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeOverrides, encodeOverrides } from '../../src/layer/listing.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import type { LayerEntry } from '../../src/layer/types.ts';
import { bufferOf } from '../../src/sys/bytes.ts';
import * as c from '../../src/sys/constants.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { describeWith, root, testWith } from '../support/need.ts';
import { makeTar, pack, python, tempDir, treeOf, unpack } from './support.ts';

const sys = loadSys();

const short = (entries: LayerEntry[]) =>
  entries.map((e) =>
    [e.path, e.type, e.mode.toString(8), e.uid, e.opaque ? 'opaque' : '', e.hardLink ?? '']
      .join(' ')
      .trimEnd(),
  );

/** A random tree as a list of actions on a directory; names are bytes. */
const name = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd.e', 'd'),
  fc.constantFrom('ü', 'x'.repeat(130)).map((s) => Buffer.from(s).toString('latin1')),
  fc
    .uint8Array({ minLength: 1, maxLength: 4 })
    .map((bytes) => Buffer.from(bytes).toString('latin1').replace(/[\0/]/g, '_'))
    .filter((s) => s !== '.' && s !== '..'),
);
const node = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 4 }),
  kind: fc.constantFrom(
    'file',
    'file',
    'directory',
    'symlink',
    'hardlink',
    'whiteout',
    'opaque',
    'fifo',
    'char',
  ),
  size: fc.constantFrom(0, 1, 511, 512, 513, 70_000, 1_500_000),
  mode: fc.nat(0o7777),
  id: fc.constantFrom(0, 1, 65534, 3_000_000, 4_000_000_000),
  mtimeNs: fc.bigInt({ min: -1_000_000_000_000_000_000n, max: 8_000_000_000_000_000_000n }),
  xattr: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 })),
});

function build(dir: string, nodes: NodeSpec[]): void {
  const directories: { at: Buffer; mode: number; mtimeNs: bigint }[] = [];
  const files: Buffer[] = [];
  for (const spec of nodes) {
    const at = Buffer.concat([Buffer.from(`${dir}/`), bufferOf(spec.path.join('/'))]);
    try {
      fs.mkdirSync(Buffer.concat([Buffer.from(`${dir}/`), bufferOf(spec.path.slice(0, -1).join('/'))]), {
        recursive: true,
      });
      create(at, spec, files);
    } catch {
      continue;
    }
    if (spec.kind === 'whiteout' || spec.kind === 'hardlink') continue;
    fs.lchownSync(at, spec.id, spec.id);
    if (spec.kind === 'directory' || spec.kind === 'opaque') {
      directories.push({ at, mode: spec.mode, mtimeNs: spec.mtimeNs });
    } else if (spec.kind !== 'symlink') {
      fs.chmodSync(at, spec.mode);
    }
    if (spec.kind === 'file') {
      files.push(at);
      if (spec.xattr !== null) sys.lsetxattr(at, 'security.capability', capability(spec.xattr));
    }
    sys.utimens(at, spec.mtimeNs);
  }
  for (const { at, mode, mtimeNs } of directories.reverse()) {
    fs.chmodSync(at, mode);
    sys.utimens(at, mtimeNs);
  }
}

type NodeSpec = typeof node extends fc.Arbitrary<infer T> ? T : never;

function create(at: Buffer, { kind, size, mode }: NodeSpec, files: Buffer[]): void {
  if (kind === 'file') fs.writeFileSync(at, Buffer.alloc(size, `${mode}`), { flag: 'wx' });
  else if (kind === 'symlink') fs.symlinkSync(Buffer.from([0x2f, 0xff, 0x61]), at);
  else if (kind === 'hardlink') fs.linkSync(files.at(-1)!, at);
  else if (kind === 'whiteout') sys.mknod(at, c.S_IFCHR, 0, 0);
  else if (kind === 'fifo') sys.mknod(at, c.S_IFIFO | 0o600, 0, 0);
  else if (kind === 'char') sys.mknod(at, c.S_IFCHR | 0o600, 1, 3);
  else fs.mkdirSync(at);
  if (kind === 'opaque') sys.lsetxattr(at, 'trusted.overlay.opaque', Buffer.from('y'));
}

function capability(bytes: Uint8Array): Buffer {
  const value = Buffer.alloc(20);
  value.writeUInt32LE(0x02000001, 0);
  value[4] = bytes[0]!;
  return value;
}

describeWith({ needs: [root()] }, 'as root', () => {
  test('pack, unpack and pack again: the same bytes, the same listing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(node, { maxLength: 25 }),
        fc.integer({ min: 100, max: 100_000 }),
        async (nodes, size) => {
          const dir = tempDir();
          build(dir, nodes);
          const first = pack(dir);
          const again = await unpack(first.tar, {}, size);
          expect(again.diffId).toBe(first.diffId);
          expect(again).toMatchObject({ tarSize: first.tarSize, size: first.size, warnings: [] });
          expect(again.entries).toEqual(first.entries);
          expect(again.overrides.size).toBe(0);
          const second = hashLayer(again.dir);
          expect(second.diffId).toBe(first.diffId);
          expect(second.entries).toEqual(first.entries);
          execFileSync('rm', ['-rf', dir, again.dir]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each(['gnu', 'posix'])(
    'what GNU tar packed is unpacked as GNU tar does it, --format=%s',
    async (format) => {
      const dir = tempDir();
      const nodes = fc
        .sample(node, { numRuns: 150, seed: 3 })
        .filter((n) => n.kind !== 'whiteout' && n.kind !== 'opaque');
      build(
        dir,
        nodes.map((n) => ({ ...n, xattr: null })),
      );
      const tar = execFileSync(
        'tar',
        ['--numeric-owner', `--format=${format}`, '-S', '-C', dir, '-cf', '-', '.'],
        {
          maxBuffer: 1 << 30,
        },
      );
      const ours = await unpack(tar);
      const theirs = tempDir();
      spawnSync('tar', ['--numeric-owner', '-xpf', '-', '-C', theirs], { input: tar });
      expect(treeOf(ours.dir)).toEqual(treeOf(theirs));
      expect(treeOf(ours.dir).length).toBeGreaterThan(30);
      expect(hashLayer(ours.dir).entries).toEqual(hashLayer(theirs).entries);
      expect(hashLayer(ours.dir).entries).toEqual(ours.entries);
    },
  );

  test("what Python's tarfile packed has its owners, times and attributes", async () => {
    const tar = python(`
import tarfile, io, sys
out = io.BytesIO()
t = tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT, encoding='utf-8', errors='surrogateescape')
def add(name, **kw):
    m = tarfile.TarInfo(name); data = kw.pop('data', b''); m.size = len(data)
    for k, v in kw.items(): setattr(m, k, v)
    t.addfile(m, io.BytesIO(data))
add('d', type=tarfile.DIRTYPE, mode=0o750, uid=3000000, mtime=-1.5)
add('d/' + 'n' * 200, mode=0o4711, gid=5, data=b'x' * 1000, mtime=2.25)
add('d/h', type=tarfile.LNKTYPE, linkname='d/' + 'n' * 200)
add('s', type=tarfile.SYMTYPE, linkname='t' * 150, uid=7)
add('c', type=tarfile.CHRTYPE, devmajor=5, devminor=1, mode=0o620)
t.close(); sys.stdout.buffer.write(out.getvalue())`);
    const { entries, dir } = await unpack(tar);
    expect(short(entries)).toEqual([
      'c char 620 0',
      'd directory 750 3000000',
      'd/h file 4711 0',
      `d/${'n'.repeat(200)} file 4711 0  d/h`,
      's symlink 777 7',
    ]);
    expect(entries.find((e) => e.path === 'd')!.mtimeNs).toBe(-1_500_000_000n);
    expect(hashLayer(dir).entries).toEqual(entries);
  });

  test('the disk is in overlay form, for either kind of mount', async () => {
    const tar = makeTar([
      { path: 'd/' },
      { path: 'd/.wh..wh..opq' },
      { path: '.wh.gone' },
      { path: '.wh..wh.plnk' },
    ]);
    for (const userxattr of [false, true]) {
      const { dir, entries } = await unpack(tar, { userxattr });
      expect(treeOf(dir)).toEqual(['d d 644 0:0 ', 'gone c 0 0:0 ']);
      expect(fs.lstatSync(join(dir, 'gone')).rdev).toBe(0);
      const mark = userxattr ? 'user.overlay.opaque' : 'trusted.overlay.opaque';
      expect(sys.llistxattr(join(dir, 'd'))).toEqual([mark]);
      expect(hashLayer(dir, { userxattr }).entries).toEqual(entries);
    }
  });
});

describeWith({ needs: [root()] }, 'whiteouts and entries of the same layer', () => {
  const cases: [string, Parameters<typeof makeTar>[0], string[]][] = [
    [
      'an entry hides what the whiteout deletes, in either order',
      [{ path: '.wh.a' }, { path: 'a', content: 'x' }, { path: 'b', content: 'x' }, { path: '.wh.b' }],
      ['a file 644 0', 'b file 644 0'],
    ],
    [
      'a directory in place of the deleted one hides its content',
      [{ path: '.wh.a' }, { path: 'a/' }, { path: 'b/' }, { path: 'b/f' }, { path: '.wh.b' }],
      ['a directory 644 0 opaque', 'b directory 644 0 opaque', 'b/f file 644 0'],
    ],
    [
      'so does one that an entry below it makes',
      [{ path: '.wh.a' }, { path: 'a/b/f' }],
      ['a directory 755 0 opaque', 'a/b directory 755 0', 'a/b/f file 644 0'],
    ],
    [
      'an opaque mark behind the entries leaves them',
      [{ path: 'd/f' }, { path: 'd/.wh..wh..opq' }, { path: 'd/g' }],
      ['d directory 755 0 opaque', 'd/f file 644 0', 'd/g file 644 0'],
    ],
    [
      'twice the same whiteout',
      [{ path: 'd/.wh.x' }, { path: 'd/.wh.x' }],
      ['d directory 755 0', 'd/x whiteout 0 0'],
    ],
  ];
  test.each(cases)('%s', async (_, parts, wanted) => {
    const { entries, dir } = await unpack(makeTar(parts));
    expect(short(entries)).toEqual(wanted);
    expect(hashLayer(dir).entries).toEqual(entries);
  });
});

test('later entries replace earlier ones; directories keep what is in them', async () => {
  const own = { uid: process.getuid!(), gid: process.getgid!() };
  const { entries, dir } = await unpack(
    makeTar([
      { path: 'd/', mode: 0o700, ...own },
      { path: 'd/f', content: 'old', ...own },
      { path: 'd/h', type: 'hardlink', link: 'd/f' },
      { path: 'd/f', content: 'new', ...own },
      { path: 'd/', mode: 0o711, ...own },
      { path: 't', content: 'file', ...own },
      { path: 't/', mode: 0o755, ...own },
      { path: 't/x', ...own },
      { path: 'u/', ...own },
      { path: 'u/v/w', ...own },
      { path: 'u', type: 'symlink', link: 'd', ...own },
    ]),
    { lowerDirectory: () => ({ mode: 0o755, mtimeNs: 5n, ...own }) },
  );
  expect(
    entries.filter((e) => e.path !== '').map((e) => `${e.path} ${e.type} ${e.mode.toString(8)}`),
  ).toEqual([
    'd directory 711',
    'd/f file 644',
    'd/h file 644',
    't directory 755',
    't/x file 644',
    'u symlink 777',
  ]);
  expect(fs.readFileSync(join(dir, 'd/f'), 'utf8')).toBe('new');
  expect(fs.readFileSync(join(dir, 'd/h'), 'utf8')).toBe('old');
  expect(hashLayer(dir).entries).toEqual(entries);
});

testWith({ needs: [root()] }, 'parents without an entry take what the lower layer has', async () => {
  const asked: string[] = [];
  const { entries, dir } = await unpack(
    makeTar([
      { path: 'home/user/.config/x', content: 'x', uid: 1000, mtimeNs: 77n },
      { path: '.wh.srv' },
      { path: 'srv/www/index', mtimeNs: 88n },
      { path: 'tmp/f' },
      { path: 'tmp/', mode: 0o1777, mtimeNs: 99n },
    ]),
    {
      lowerDirectory: (path) => {
        asked.push(path);
        const known = { '': 0, home: 0, 'home/user': 1000, srv: 33 }[path];
        return known === undefined
          ? undefined
          : { mode: 0o2750, uid: known, gid: 50, mtimeNs: 4_000_000_000n };
      },
    },
  );
  expect(asked).toEqual(['', 'home', 'home/user', 'home/user/.config', 'tmp']);
  expect(entries.map((e) => `${e.path} ${e.mode.toString(8)} ${e.uid}:${e.gid} ${e.mtimeNs}`)).toEqual([
    ' 2750 0:50 4000000000',
    'home 2750 0:50 4000000000',
    'home/user 2750 1000:50 4000000000',
    'home/user/.config 755 0:0 77',
    'home/user/.config/x 644 1000:0 77',
    'srv 755 0:0 88',
    'srv/www 755 0:0 88',
    'srv/www/index 644 0:0 88',
    'tmp 1777 0:0 99',
    'tmp/f 644 0:0 0',
  ]);
  expect(hashLayer(dir).entries).toEqual(entries);
});

describeWith({ needs: [root()] }, 'without rights', () => {
  test.each([
    ['an ordinary user', 12345],
    ['the root of a user namespace with a single id', 0],
  ])('as %s, what the kernel refuses is recorded and packed right', async (_, uid) => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const tar = makeTar([
      { path: 'bin/', mode: 0o755, uid: 0 },
      { path: 'bin/ping', mode: 0o755, content: 'p', xattrs: new Map([['security.capability', capability]]) },
      { path: 'bin/ping2', type: 'hardlink', link: 'bin/ping' },
      { path: 'bin/abc', type: 'hardlink', link: 'bin/ping' },
      { path: 'bin/su', mode: 0o4755, content: 's', uid: 0, gid: 42 },
      { path: 'dev/null', type: 'char', mode: 0o666, major: 1, minor: 3 },
      { path: 'far', mtimeNs: 20_000_000_000n * 1_000_000_000n },
      { path: 'link', type: 'symlink', link: 'x', uid: 9, gid: 9 },
      { path: '.wh.gone' },
    ]);
    const wanted = await unpack(tar);
    const privileged = hashLayer(wanted.dir, { overrides: wanted.overrides });

    const box = tempDir();
    fs.chownSync(box, uid, uid);
    fs.writeFileSync(join(box, 'layer.tar'), tar);
    const modules = new URL('../../src/', import.meta.url).href;
    // Modules are loaded before the rights are given up, since an ordinary user may not be able to read them.
    const script = `
    import * as fs from 'node:fs';
    import { unpackLayer } from '${modules}layer/unpack.ts';
    import { hashLayer } from '${modules}layer/pack.ts';
    import { encodeOverrides, encodeListing } from '${modules}layer/listing.ts';
    import { loadSys } from '${modules}sys/linux.ts';
    loadSys(); process.chdir('/');
    if (${uid} > 0) { process.setgroups([]); process.setgid(${uid}); process.setuid(${uid}); }
    fs.mkdirSync('${box}/layer');
    const chunks = (async function* () { yield fs.readFileSync('${box}/layer.tar'); })();
    const r = await unpackLayer(chunks, '${box}/layer', { userxattr: true });
    fs.writeFileSync('${box}/overrides', encodeOverrides(r.overrides));
    fs.writeFileSync('${box}/entries', encodeListing(r.entries));
    const h = hashLayer('${box}/layer', { overrides: r.overrides, userxattr: true });
    console.log(JSON.stringify([h.diffId, r.warnings]));`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    const [program, ...args] = uid > 0 ? node : ['unshare', '--user', '--map-root-user', ...node];
    const run = spawnSync(program!, args, { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    const [diffId, warnings] = JSON.parse(run.stdout);
    const overrides = decodeOverrides(fs.readFileSync(join(box, 'overrides')));
    const always = ['bin/su', 'dev/null', 'far', 'link'];
    const ordinary = ['', 'bin', 'bin/abc', ...always, 'dev'].sort();
    expect([...overrides.keys()].sort()).toEqual(uid > 0 ? ordinary : always);
    expect(encodeOverrides(overrides).equals(fs.readFileSync(join(box, 'overrides')))).toBe(true);
    expect(diffId).toBe(privileged.diffId);
    expect(warnings).toEqual([]);
    const su = fs.statSync(join(box, 'layer/bin/su'));
    expect([su.uid, su.mode & 0o7777]).toEqual([uid, 0o755]);
    expect(fs.statSync(join(box, 'layer/dev/null')).isFile()).toBe(true);
  });
});

test('bytes behind the end of the archive count, but mean nothing', async () => {
  const tar = Buffer.concat([makeTar([{ path: 'a' }]), makeTar([{ path: 'b' }]), Buffer.from('odd')]);
  const { entries, tarSize } = await unpack(tar);
  expect(entries.filter((e) => e.path !== '').map((e) => e.path)).toEqual(['a']);
  expect(tarSize).toBe(tar.length);
});

test('an error of the stream comes through as it is', async () => {
  const { unpackLayer } = await import('../../src/layer/unpack.ts');
  async function* broken(): AsyncGenerator<Buffer> {
    yield makeTar([{ path: 'a', content: 'x'.repeat(5000) }]).subarray(0, 1024);
    throw new Error('connection lost');
  }
  await expect(unpackLayer(broken(), tempDir())).rejects.toThrow('connection lost');
});
