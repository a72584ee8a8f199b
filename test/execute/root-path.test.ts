import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveOwner, resolveUser } from '../../src/execute/step/account.ts';
import { ensureDirectory, resolveInRoot } from '../../src/execute/step/root-path.ts';

let outside: string;
let root: string;

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), 'slipway-root-'));
  root = join(outside, 'root');
  mkdirSync(join(root, 'usr/lib'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('/usr', join(root, 'absolute'));
  symlinkSync('../../../../..', join(root, 'usr/up'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('/missing/below', join(root, 'dangling'));
  writeFileSync(join(root, 'file'), '');
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\n7:x:8:9::/h:\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nstaff:x:50:app\nextra:x:60:app,root\n');
});

afterAll(() => rmSync(outside, { recursive: true }));

describe('resolving inside a root', () => {
  test.each([
    ['', [], []],
    ['/usr/lib', ['usr', 'lib'], []],
    ['lib/x/y', ['usr', 'lib'], ['x', 'y']],
    ['absolute/lib', ['usr', 'lib'], []],
    ['usr/up/etc', ['etc'], []],
    ['../../etc', ['etc'], []],
    ['dangling/z', [], ['missing', 'below', 'z']],
    ['new/../other/./deep', [], ['other', 'deep']],
    ['file', ['file'], []],
    ['file/.', ['file'], []],
  ])('%s', (path, existing, missing) => {
    expect(resolveInRoot(root, path)).toEqual({ existing, missing });
  });

  test('refuses loops and files on the way', () => {
    expect(() => resolveInRoot(root, 'loop/x')).toThrow(/too many symbolic links/);
    expect(() => resolveInRoot(root, 'file/x')).toThrow(/file is not a directory/);
    expect(() => ensureDirectory(root, 'file')).toThrow(/file is not a directory/);
  });

  test('makes directories where the links lead, and never outside', () => {
    const made: string[] = [];
    expect(ensureDirectory(root, 'usr/up/a/b', (path) => made.push(path))).toBe(`${root}/a/b`);
    expect(made).toEqual([`${root}/a`, `${root}/a/b`]);
    expect(existsSync(join(outside, 'a'))).toBe(false);
  });
});

describe('users', () => {
  test.each([
    ['', { uid: 0, gid: 0, additionalGids: [0, 60], home: '/root' }],
    ['app', { uid: 1000, gid: 50, additionalGids: [50, 60], home: '/home/app' }],
    ['1000', { uid: 1000, gid: 50, additionalGids: [50, 60], home: '/home/app' }],
    ['app:extra', { uid: 1000, gid: 60, additionalGids: [60], home: '/home/app' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [0], home: '/' }],
    ['4242:4243', { uid: 4242, gid: 4243, additionalGids: [4243], home: '/' }],
    // A name of digits comes before the number, as in libcontainer.
    ['7', { uid: 8, gid: 9, additionalGids: [9], home: '/h' }],
  ])('RUN as %j', (text, account) => {
    expect(resolveUser(root, text)).toEqual(account);
  });

  test('RUN as nobody that is known', () => {
    expect(() => resolveUser(root, 'ghost')).toThrow(
      'unable to find user ghost: no matching entries in passwd file',
    );
    expect(() => resolveUser(root, 'app:ghost')).toThrow(
      'unable to find group ghost: no matching entries in group file',
    );
  });

  test.each([
    ['1000', { uid: 1000, gid: 1000 }],
    ['app', { uid: 1000, gid: 50 }],
    ['app:extra', { uid: 1000, gid: 60 }],
    ['5:6', { uid: 5, gid: 6 }],
    ['ghost', { uid: 0, gid: 0 }],
    ['app:ghost', { uid: 1000, gid: 50 }],
    ['ghost:staff', { uid: 0, gid: 50 }],
    ['app:', { uid: 1000, gid: 0 }],
    ['1000:', { uid: 1000, gid: 0 }],
    [':staff', { uid: 0, gid: 50 }],
    [':', { uid: 0, gid: 0 }],
    ['root:root', { uid: 0, gid: 0 }],
    ['5:root', { uid: 5, gid: 0 }],
    ['+5', { uid: 5, gid: 5 }],
  ])('--chown=%s', (text, owner) => {
    expect(resolveOwner(root, text)).toEqual(owner);
  });

  test('an account file that is a fifo or too large is refused, not waited for', async () => {
    const { execFileSync } = await import('node:child_process');
    const other = join(outside, 'other');
    mkdirSync(join(other, 'etc'), { recursive: true });
    execFileSync('mkfifo', [join(other, 'etc/passwd')]);
    expect(() => resolveUser(other, 'app')).toThrow(/not a regular file/);
  });
});
