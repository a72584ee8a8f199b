import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as c from '../../src/sys/constants.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { describeWith, root, testWith } from '../support/need.ts';

const sys = loadSys();
let dir: string;

beforeAll(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'slipway-sys-'));
});
afterAll(() => {
  fs.rmSync(dir, { recursive: true, force: true });
});

function fails(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    const { code, errno, syscall } = error as NodeJS.ErrnoException;
    return { code, errno, syscall };
  }
  return 'no error';
}

/** Runs a script with `sys` in a process of its own, in new namespaces, and returns what it prints. */
function inChild(script: string): string {
  const module = new URL('../../src/sys/linux.ts', import.meta.url).href;
  const constants = new URL('../../src/sys/constants.ts', import.meta.url).href;
  const text = `
    import * as fs from 'node:fs';
    import * as c from ${JSON.stringify(constants)};
    import { loadSys } from ${JSON.stringify(module)};
    const sys = loadSys(); const dir = ${JSON.stringify(dir)};
    ${script}`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout.trim();
}

describe('files', () => {
  test('a path bound to a root opens while files are renamed', async () => {
    fs.mkdirSync(join(dir, 'bound/a/b'), { recursive: true });
    fs.writeFileSync(join(dir, 'renamed'), '');
    // The kernel answers EAGAIN to a `..` below a root when a rename falls into the call.
    const script = `const fs = require('fs'); process.chdir(process.argv[1]); process.stdout.write('.');
      for (;;) { fs.renameSync('renamed', 'moved'); fs.renameSync('moved', 'renamed'); }`;
    const renamer = spawn(process.execPath, ['-e', script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(renamer.stdout, 'data');
    const bound = fs.openSync(join(dir, 'bound'), 'r');
    const how = { flags: c.O_PATH, resolve: c.RESOLVE_IN_ROOT };
    for (let i = 0; i < 20_000; i++) fs.closeSync(sys.openat2(bound, 'a/../a/../a/b/../../a/../a/b', how));
    fs.closeSync(bound);
    renamer.kill('SIGKILL');
    await once(renamer, 'exit');
  });

  test('times are exact to the nanosecond, before 1970 and after 2038, on links themselves', () => {
    const link = join(dir, 'link');
    fs.symlinkSync('/nowhere', link);
    for (const ns of [0n, 1n, -1n, -1_500_000_000n, 1_700_000_000_123_456_789n, 5_000_000_000_000_000_001n]) {
      sys.utimens(link, ns);
      expect(fs.lstatSync(link, { bigint: true }).mtimeNs).toBe(ns);
    }
    sys.utimens(link, 5n, { atimeNs: 7n });
    expect(fs.lstatSync(link, { bigint: true }).atimeNs).toBe(7n);
    sys.utimens(link, 6n);
    expect(fs.lstatSync(link, { bigint: true })).toMatchObject({ atimeNs: 7n, mtimeNs: 6n });
    const fd = fs.openSync(join(dir, 'timed'), 'w');
    sys.futimens(fd, -3n);
    expect(fs.fstatSync(fd, { bigint: true }).mtimeNs).toBe(-3n);
    fs.closeSync(fd);
  });

  test('names of any bytes', () => {
    const name = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe, 0x0a])]);
    fs.writeFileSync(name, '');
    sys.utimens(name, 42n);
    expect(fs.lstatSync(name, { bigint: true }).mtimeNs).toBe(42n);
    expect(fails(() => sys.utimens('a\0b', 0n))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  testWith({ needs: [root()] }, 'device nodes and fifos', () => {
    const cases = [
      [c.S_IFCHR | 0o600, 0, 0],
      [c.S_IFCHR | 0o666, 1, 3],
      [c.S_IFBLK | 0o640, 8, 1],
      [c.S_IFCHR | 0o600, 4095, 1048575],
      [c.S_IFIFO | 0o644, 0, 0],
    ] as const;
    cases.forEach(([mode, major, minor], i) => {
      const path = join(dir, `node${i}`);
      sys.mknod(path, mode, major, minor);
      const stat = fs.lstatSync(path);
      expect([stat.mode & c.S_IFMT, c.majorOf(stat.rdev), c.minorOf(stat.rdev)]).toEqual([
        mode & c.S_IFMT,
        major,
        minor,
      ]);
    });
    expect(fails(() => sys.mknod(join(dir, 'node0'), c.S_IFIFO, 0, 0))).toEqual({
      code: 'EEXIST',
      errno: -17,
      syscall: 'mknod',
    });
  });

  test('a lock excludes another descriptor and another process', () => {
    const path = join(dir, 'lock');
    const a = fs.openSync(path, 'w');
    const b = fs.openSync(path, 'r');
    expect(sys.flock(a, 'exclusive')).toBe(true);
    expect(sys.flock(b, 'exclusive', { nonBlocking: true })).toBe(false);
    expect(sys.flock(b, 'shared', { nonBlocking: true })).toBe(false);
    expect(spawnSync('flock', ['-n', path, 'true']).status).toBe(1);
    expect(sys.flock(a, 'shared')).toBe(true);
    expect(sys.flock(b, 'shared', { nonBlocking: true })).toBe(true);
    sys.flock(a, 'unlock');
    sys.flock(b, 'unlock');
    expect(spawnSync('flock', ['-n', path, 'true']).status).toBe(0);
    fs.closeSync(a);
    fs.closeSync(b);
  });

  test('memory keeps what is in it when it may get larger pages', () => {
    for (const [bytes, from] of [
      [100, 0],
      [200_000, 0],
      [8 << 20, 12_345],
    ] as const) {
      const memory = Buffer.from(new SharedArrayBuffer(bytes), from);
      memory.fill(7);
      sys.adviseHugePages(memory);
      expect(memory.every((byte) => byte === 7)).toBe(true);
    }
  });

  test('holes, copies, syncfs, memory files', () => {
    const fd = fs.openSync(join(dir, 'holes'), 'w+');
    fs.writeSync(fd, 'x', 10 << 20);
    expect(sys.lseek(fd, 0, c.SEEK_DATA)).toBe(10 << 20);
    expect(sys.lseek(fd, 0, c.SEEK_HOLE)).toBe(0);
    expect(sys.lseek(fd, 20 << 20, c.SEEK_DATA)).toBeUndefined();
    sys.lseek(fd, 10 << 20, c.SEEK_SET);
    const memory = sys.memfdCreate('test');
    fs.writeSync(memory, 'abc');
    const copy = fs.openSync(join(dir, 'copy'), 'w+');
    expect(sys.copyRange(copy, fd, 100)).toBe(1);
    expect(fs.readFileSync(join(dir, 'copy'), 'utf8')).toBe('x');
    expect(sys.copyRange(copy, fd, 100)).toBe(0);
    expect(typeof sys.reflink(copy, fd)).toBe('boolean');
    sys.syncfs(fd);
    fs.closeSync(fd);
    expect(fails(() => sys.syncfs(fd))).toEqual({ code: 'EBADF', errno: -9, syscall: 'syncfs' });
    fs.closeSync(memory);
    fs.closeSync(copy);
  });

  test('openat2 stays inside its root', () => {
    const box = join(dir, 'box');
    fs.mkdirSync(join(box, 'etc'), { recursive: true });
    fs.writeFileSync(join(box, 'etc/passwd'), 'inside');
    fs.symlinkSync('/etc/passwd', join(box, 'absolute'));
    fs.symlinkSync('../../../../../../etc/passwd', join(box, 'dots'));
    const at = fs.openSync(box, fs.constants.O_DIRECTORY);
    const open = (path: string, resolve: number) => {
      const fd = sys.openat2(at, path, { flags: fs.constants.O_RDONLY, resolve });
      const text = fs.readFileSync(fd, 'utf8');
      fs.closeSync(fd);
      return text;
    };
    expect(open('absolute', c.RESOLVE_IN_ROOT)).toBe('inside');
    expect(open('dots', c.RESOLVE_IN_ROOT)).toBe('inside');
    expect(fails(() => open('absolute', c.RESOLVE_BENEATH))).toMatchObject({ code: 'EXDEV' });
    expect(fails(() => open('absolute', c.RESOLVE_NO_SYMLINKS))).toMatchObject({ code: 'ELOOP' });
    fs.closeSync(at);
  });
});

describeWith({ needs: [root()] }, 'extended attributes', () => {
  test('binary values are set, listed, read and removed', () => {
    const path = join(dir, 'attributed');
    fs.writeFileSync(path, '');
    const value = Buffer.from([0, 255, 128, 10, 0]);
    expect(sys.llistxattr(path)).toEqual([]);
    sys.lsetxattr(path, 'trusted.a', value);
    sys.lsetxattr(path, 'trusted.empty', Buffer.alloc(0));
    expect([...sys.llistxattr(path)].sort()).toEqual(['trusted.a', 'trusted.empty']);
    expect(sys.lgetxattr(path, 'trusted.a')).toEqual(value);
    expect(sys.lgetxattr(path, 'trusted.empty')).toEqual(Buffer.alloc(0));
    expect(sys.lgetxattr(path, 'trusted.none')).toBeUndefined();
    expect(fails(() => sys.lsetxattr(path, 'trusted.a', value, c.XATTR_CREATE))).toMatchObject({
      code: 'EEXIST',
    });
    sys.lremovexattr(path, 'trusted.a');
    expect(sys.llistxattr(path)).toEqual(['trusted.empty']);
    expect(fails(() => sys.lremovexattr(path, 'trusted.a'))).toMatchObject({ code: 'ENODATA' });
    expect(fails(() => sys.llistxattr(`${path}-not`))).toEqual({
      code: 'ENOENT',
      errno: -2,
      syscall: 'llistxattr',
    });
  });
});

describeWith({ needs: [root()] }, 'namespaces and mounts, in a child', () => {
  test('a tmpfs and an overlay of two lowers, seen only there', () => {
    const seen = inChild(`
      sys.unshare(c.CLONE_NEWNS | c.CLONE_NEWUTS);
      sys.mount(null, '/', null, c.MS_REC | c.MS_PRIVATE);
      const at = dir + '/mnt'; fs.mkdirSync(at);
      sys.mount('tmpfs', at, 'tmpfs', c.MS_NODEV | c.MS_NOSUID, 'size=10m,mode=755');
      for (const d of ['a', 'b', 'u', 'w', 'm', 'n']) fs.mkdirSync(at + '/' + d);
      fs.writeFileSync(at + '/a/x', 'a'); fs.writeFileSync(at + '/b/x', 'b'); fs.writeFileSync(at + '/b/y', 'b');
      sys.chdir(at);
      sys.mount('overlay', 'm', 'overlay', 0, 'lowerdir=a:b,upperdir=u,workdir=w,redirect_dir=nofollow,metacopy=off,index=off');
      fs.rmSync('m/y');
      const out = [fs.readFileSync('m/x', 'utf8')];
      const y = fs.lstatSync('u/y'); out.push((y.mode & c.S_IFMT) === c.S_IFCHR && y.rdev === 0);
      sys.umount('m');
      const context = sys.fsopen('overlay');
      for (const lower of ['a', 'b']) sys.fsconfigSet(context, 'lowerdir+', at + '/' + lower);
      sys.moveMount(sys.fsmount(context), 'm');
      out.push(fs.readdirSync('m').join());
      sys.moveMount(sys.cloneTree('m', { recursive: true }), 'n');
      sys.mountSetattr('n', { set: c.MOUNT_ATTR_RDONLY, recursive: true, propagation: c.MS_PRIVATE });
      out.push(fs.readdirSync('n').join());
      try { fs.writeFileSync('n/z', ''); } catch (e) { out.push(e.code); }
      sys.sethostname('inside');
      out.push(fs.readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
      try { sys.mount('tmpfs', '/nowhere/at/all', 'tmpfs', 0); } catch (e) { out.push(e.message); }
      sys.umount('m', c.MNT_DETACH);
      sys.chroot('a'); sys.chdir('/');
      out.push(fs.readdirSync('/').join());
      console.log(JSON.stringify(out));`);
    expect(JSON.parse(seen)).toMatchInlineSnapshot(`
      [
        "a",
        true,
        "x,y",
        "x,y",
        "EROFS",
        "inside",
        "ENOENT: no such file or directory, mount '/nowhere/at/all'",
        "x",
      ]
    `);
    expect(fs.readFileSync('/proc/self/mounts', 'utf8')).not.toContain(dir);
    expect(fs.readdirSync(join(dir, 'mnt'))).toEqual([]);
  });

  test('pivot_root, setns, prctl', () => {
    const seen = inChild(`
      const own = fs.openSync('/proc/self/ns/uts');
      const out = [];
      sys.unshare(c.CLONE_NEWNS | c.CLONE_NEWUTS);
      sys.mount(null, '/', null, c.MS_REC | c.MS_PRIVATE);
      const before = fs.readFileSync('/proc/sys/kernel/hostname', 'utf8');
      sys.sethostname('other');
      sys.setns(own, c.CLONE_NEWUTS);
      out.push(fs.readFileSync('/proc/sys/kernel/hostname', 'utf8') === before);
      out.push(sys.prctl(c.PR_CAPBSET_READ, 27));
      sys.prctl(c.PR_CAPBSET_DROP, 27);
      out.push(sys.prctl(c.PR_CAPBSET_READ, 27));
      sys.prctl(c.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      out.push(sys.prctl(c.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
      const at = dir + '/pivot'; fs.mkdirSync(at);
      sys.mount('tmpfs', at, 'tmpfs', 0, null);
      fs.mkdirSync(at + '/old'); fs.writeFileSync(at + '/here', '');
      sys.pivotRoot(at, at + '/old'); sys.chdir('/');
      sys.umount('/old', c.MNT_DETACH);
      out.push(fs.readdirSync('/').join(), fs.readdirSync('/old').join());
      console.log(JSON.stringify(out));`);
    expect(JSON.parse(seen)).toEqual([true, 1, 0, 1, 'here,old', '']);
  });
});

test('a pseudo terminal carries bytes and a window size', () => {
  const pty = sys.openPty();
  sys.setWindowSize(pty.master, 33, 77);
  const size = execFileSync('stty', ['size'], { stdio: [pty.slave, 'pipe', 'inherit'], encoding: 'utf8' });
  expect(size).toBe('33 77\n');
  fs.writeSync(pty.master, 'typed\n');
  const line = Buffer.alloc(64);
  expect(line.toString('utf8', 0, fs.readSync(pty.slave, line))).toBe('typed\n');
  expect(pty.name).toMatch(/^\/dev\/pts\/\d+$/);
  fs.closeSync(pty.slave);
  fs.closeSync(pty.master);
});

test('a raw call takes numbers and Buffers', () => {
  const getpid = process.arch === 'arm64' ? 172 : 39;
  expect(sys.syscall(getpid)).toBe(process.pid);
  const readlinkat = process.arch === 'arm64' ? 78 : 267;
  const answer = Buffer.alloc(4096);
  const size = sys.syscall(readlinkat, c.AT_FDCWD, Buffer.from('/proc/self/exe\0'), answer, answer.length);
  expect(answer.toString('utf8', 0, size)).toBe(fs.readlinkSync('/proc/self/exe'));
});

test('nothing is loaded before the first call, and other systems get a plain refusal', () => {
  const module = new URL('../../src/sys/linux.ts', import.meta.url).href;
  const text = `
    Object.defineProperty(process, 'platform', { value: 'darwin' });
    const { loadSys } = await import(${JSON.stringify(module)});
    try { loadSys(); } catch (e) { console.log(e.kind, e.code); }
    console.log(process.report.getReport().sharedObjects.filter((o) => o.includes('koffi')).length);`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' });
  expect(out).toBe('unsupported NOT_LINUX\n0\n');
});
