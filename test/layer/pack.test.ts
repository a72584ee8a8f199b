import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashLayer } from '../../src/layer/pack.ts';
import * as c from '../../src/sys/constants.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { describeWith, root } from '../support/need.ts';
import { failure, pack, python, readTar, tempDir, treeOf, unpack } from './support.ts';

const sys = loadSys();
const time = 1_700_000_000_000_000_000n;

/** Sets all times below a directory, so that an archive does not depend on the moment. */
function still(dir: string): void {
  for (const name of fs.readdirSync(dir, { encoding: 'buffer' })) {
    const path = Buffer.concat([Buffer.from(`${dir}/`), name]);
    if (fs.lstatSync(path).isDirectory()) still(path.toString());
    sys.utimens(path, time);
  }
}

describeWith({ needs: [root()] }, 'as root', () => {
  test('a layer in overlay form becomes an archive of the image format', () => {
    const dir = tempDir();
    const at = (name: string) => join(dir, name);
    fs.chmodSync(dir, 0o755);
    fs.mkdirSync(at('etc'));
    fs.writeFileSync(at('etc/b'), 'bb');
    fs.linkSync(at('etc/b'), at('etc/a'));
    fs.mkdirSync(at('etc.d'));
    sys.mknod(at('etc/gone'), c.S_IFCHR, 0, 0);
    fs.mkdirSync(at('opaque'));
    sys.lsetxattr(at('opaque'), 'trusted.overlay.opaque', Buffer.from('y'));
    sys.lsetxattr(at('opaque'), 'trusted.overlay.origin', Buffer.from('x'));
    fs.writeFileSync(at('opaque/.a'), '');
    fs.symlinkSync('/x', at('link'));
    sys.mknod(at('null'), c.S_IFCHR | 0o666, 1, 3);
    sys.mknod(at('disk'), c.S_IFBLK | 0o660, 8, 17);
    sys.mknod(at('pipe'), c.S_IFIFO | 0o600, 0, 0);
    fs.writeFileSync(at('setuid'), '#');
    fs.chownSync(at('setuid'), 3, 4);
    fs.chmodSync(at('setuid'), 0o6755);
    fs.mkdirSync(at('tmp'));
    fs.chmodSync(at('tmp'), 0o1777);
    still(dir);
    const packed = pack(dir);
    const lines = readTar(packed.tar).map((e) =>
      [e.path, e.type, e.mode.toString(8), `${e.uid}:${e.gid}`, e.size, e.link, e.major, e.minor]
        .join(' ')
        .trimEnd(),
    );
    expect(lines).toMatchInlineSnapshot(`
      [
        "disk block 640 0:0 0  8 17",
        "etc/ directory 755 0:0 0",
        "etc/a file 644 0:0 2",
        "etc/b hardlink 644 0:0 0 etc/a",
        "etc/.wh.gone file 644 0:0 0",
        "etc.d/ directory 755 0:0 0",
        "link symlink 777 0:0 0 /x",
        "null char 644 0:0 0  1 3",
        "opaque/ directory 755 0:0 0",
        "opaque/.wh..wh..opq file 644 0:0 0",
        "opaque/.a file 644 0:0 0",
        "pipe fifo 600 0:0 0",
        "setuid file 6755 3:4 1",
        "tmp/ directory 1777 0:0 0",
      ]
    `);
    expect(
      packed.entries.map((e) =>
        [e.path, e.type, e.hardLink, e.opaque].filter((x) => x !== undefined).join(' '),
      ),
    ).toMatchInlineSnapshot(`
      [
        "disk block",
        "etc directory",
        "etc/a file",
        "etc/b file etc/a",
        "etc/gone whiteout",
        "etc.d directory",
        "link symlink",
        "null char",
        "opaque directory true",
        "opaque/.a file",
        "pipe fifo",
        "setuid file",
        "tmp directory",
      ]
    `);
    expect(packed).toMatchObject({ size: 3, tarSize: packed.tar.length, packer: 1 });
    // The bytes are a promise: they name the layers that are recorded in stores.
    expect(packed.diffId).toMatchInlineSnapshot(
      `"sha256:94263f236a4e6a829fc9d7e3b8ec15a5d9a42ddf44a7b8cbd6c68be3c5b4191b"`,
    );
    expect(hashLayer(dir).diffId).toBe(packed.diffId);
    expect(packed.diffId).toBe(
      `sha256:${python('import sys,hashlib;print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())', packed.tar).toString().trim()}`,
    );
  });

  test('GNU tar unpacks what it holds: owners, modes, times, attributes, links, bytes in names', () => {
    const dir = tempDir();
    fs.mkdirSync(join(dir, 'a/b'), { recursive: true });
    const odd = Buffer.concat([Buffer.from(`${dir}/a/`), Buffer.from([0xff, 0xe9, 0x20])]);
    fs.writeFileSync(odd, 'x'.repeat(5000));
    fs.writeFileSync(join(dir, 'a/b', 'n'.repeat(240)), 'long');
    fs.linkSync(join(dir, 'a/b', 'n'.repeat(240)), join(dir, 'a/other'));
    fs.symlinkSync(odd, join(dir, 'a/soft'));
    fs.writeFileSync(join(dir, 'large'), Buffer.alloc(9_000_001, 'ab'));
    fs.chownSync(join(dir, 'large'), 4_000_000_000, 3_000_000);
    sys.lsetxattr(
      join(dir, 'large'),
      'security.capability',
      Buffer.from('0100000200040000000000000000000000000000', 'hex'),
    );
    sys.utimens(odd, -1_234_567_890_123_456_789n);
    sys.utimens(join(dir, 'a'), 5_000_000_000_000_000_001n);
    const packed = pack(dir);
    const out = tempDir();
    const args = [
      '--warning=no-timestamp',
      '--xattrs',
      '--xattrs-include=*',
      '--numeric-owner',
      '-xpf',
      '-',
      '-C',
      out,
    ];
    const result = spawnSync('tar', args, { input: packed.tar });
    expect([result.status, result.stderr.toString()]).toEqual([0, '']);
    expect(treeOf(out)).toEqual(treeOf(dir));
    expect(execFileSync('diff', ['-r', '--no-dereference', dir, out]).toString()).toBe('');
    // The archive says nothing of the root, so its own metadata is all that may differ.
    fs.chmodSync(out, fs.statSync(dir).mode);
    expect(hashLayer(out).diffId).toBe(packed.diffId);
  });

  test('file capabilities lose the root id of their namespace', () => {
    const dir = tempDir();
    const file = join(dir, 'ping');
    fs.writeFileSync(file, '');
    const v3 = Buffer.from('010000030020000000000000000000000000000040420f00', 'hex');
    sys.lsetxattr(file, 'security.capability', v3);
    expect(sys.lgetxattr(file, 'security.capability')!.length).toBe(24);
    const value = readTar(pack(dir).tar).at(-1)!.xattrs!.get('security.capability')!;
    expect(value.toString('hex')).toBe('0100000200200000000000000000000000000000');
  });

  test('attributes of the machine stay there, ACLs travel', () => {
    const dir = tempDir();
    const file = join(dir, 'f');
    fs.writeFileSync(file, '');
    sys.lsetxattr(file, 'trusted.mine', Buffer.from('1'));
    sys.lsetxattr(file, 'trusted.overlay.upper', Buffer.from('1'));
    const acl = Buffer.from(
      '0200000001000600ffffffff020004000100000004000400ffffffff10000400ffffffff20000400ffffffff',
      'hex',
    );
    sys.lsetxattr(file, 'system.posix_acl_access', acl);
    const { entries } = pack(dir);
    expect([...entries.at(-1)!.xattrs!.keys()]).toEqual(['system.posix_acl_access']);
  });

  test('an overlayfs redirect is refused', async () => {
    const dir = tempDir();
    fs.mkdirSync(join(dir, 'd'));
    sys.lsetxattr(join(dir, 'd'), 'trusted.overlay.redirect', Buffer.from('/x'));
    expect(await failure(() => hashLayer(dir))).toMatchInlineSnapshot(
      `"unsupported OVERLAY_REDIRECT: d is an overlayfs redirect"`,
    );
  });

  test('the root has an entry only where it differs from its parent', () => {
    const dir = tempDir();
    fs.chmodSync(dir, 0o755);
    expect(pack(dir).tar.equals(Buffer.alloc(1024))).toBe(true);
    fs.chmodSync(dir, 0o700);
    expect(pack(dir).entries).toMatchObject([{ path: '', type: 'directory', mode: 0o700 }]);
    expect(readTar(pack(dir).tar)).toMatchObject([{ path: './', mode: 0o700 }]);
    expect(pack(dir, { root: { mode: 0o700, uid: 0, gid: 0 } }).entries).toEqual([]);
  });
});

test('sockets are left out', async () => {
  const dir = tempDir();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(dir, 'socket'), resolve));
  fs.writeFileSync(join(dir, 'file'), '');
  const { entries } = pack(dir, { root: { mode: 0o700, uid: process.getuid!(), gid: process.getgid!() } });
  server.close();
  expect(entries.map((e) => e.path)).toEqual(['file']);
});

test('a file named .wh.something is refused, never turned into a whiteout', async () => {
  for (const name of ['.wh.passwd', '.wh..wh..opq', '.wh.']) {
    const dir = tempDir();
    fs.mkdirSync(join(dir, 'etc'));
    fs.writeFileSync(join(dir, 'etc', name), '');
    expect(await failure(() => pack(dir))).toBe(
      `invalid WHITEOUT_NAME: /etc/${name}: a layer cannot hold a file whose name starts with .wh.`,
    );
  }
});

test('holes are packed as zeros and unpacked as content', async () => {
  const dir = tempDir();
  const fd = fs.openSync(join(dir, 'sparse'), 'w');
  fs.ftruncateSync(fd, 20 << 20);
  fs.writeSync(fd, 'end', (20 << 20) - 3);
  fs.closeSync(fd);
  const packed = pack(dir);
  expect(packed.tarSize).toBeGreaterThan(20 << 20);
  const again = await unpack(packed.tar);
  expect(again.entries.at(-1)!.sha256).toBe(packed.entries.at(-1)!.sha256);
  expect(hashLayer(again.dir).diffId).toBe(packed.diffId);
});

test('later times are clamped, earlier ones kept', () => {
  const dir = tempDir();
  fs.writeFileSync(join(dir, 'late'), '');
  fs.writeFileSync(join(dir, 'early'), '');
  sys.utimens(join(dir, 'early'), 5n);
  const { entries } = pack(dir, { clampMtime: 1000 });
  const times = Object.fromEntries(entries.map((e) => [e.path, e.mtimeNs]));
  expect(times).toMatchObject({ late: 1_000_000_000_000n, early: 5n });
});

test('a cancel stops between files and inside a large one', async () => {
  const dir = tempDir();
  fs.writeFileSync(join(dir, 'large'), '');
  fs.truncateSync(join(dir, 'large'), 100 << 20);
  let bytes = 0;
  const action = () => {
    let looks = 0;
    hashLayer(dir, { aborted: () => ++looks > 3 });
  };
  expect(await failure(action)).toBe('canceled CANCELED: canceled');
  expect(await failure(() => hashLayer(dir, { aborted: () => true }))).toBe('canceled CANCELED: canceled');
  let stop = false;
  const { packLayer } = await import('../../src/layer/pack.ts');
  const sink = (chunk: Buffer) => {
    bytes += chunk.length;
    stop = true;
  };
  expect(await failure(() => packLayer(dir, sink, { aborted: () => stop }))).toBe(
    'canceled CANCELED: canceled',
  );
  expect(bytes).toBeLessThan(10 << 20);
});

test('a tree deeper than a path may be', async () => {
  const dir = tempDir();
  python(`import os
os.chdir('${dir}')
for _ in range(25): os.mkdir('n' * 200); os.chdir('n' * 200)`);
  expect(await failure(() => hashLayer(dir))).toBe(
    'unsupported PATH_TOO_LONG: a path in a layer is longer than the kernel lets it be opened',
  );
});

test('an unknown packer version and a missing directory', async () => {
  expect(await failure(() => hashLayer('/', { packer: 99 }))).toBe(
    'unsupported PACKER_VERSION: this version of Slipway has no packer 99',
  );
  expect(await failure(() => hashLayer('/nowhere/at/all'))).toContain('ENOENT');
  const file = join(tempDir(), 'f');
  fs.writeFileSync(file, '');
  expect(await failure(() => hashLayer(file))).toBe(`invalid NOT_A_DIRECTORY: ${file} is not a directory`);
});
