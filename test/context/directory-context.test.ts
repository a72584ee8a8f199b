import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { digestSelection } from '../../src/cache/content-digest.ts';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import { selectSources } from '../../src/context/select.ts';
import type { SlipwayError } from '../../src/errors/index.ts';
import { bufferOf } from '../../src/sys/bytes.ts';
import { root as asRoot, describeWith } from '../support/need.ts';

const shm = '/dev/shm';
const work = fs.mkdtempSync(path.join(fs.existsSync(shm) ? shm : os.tmpdir(), 'directory-context-'));
afterAll(() => fs.rmSync(work, { recursive: true }));

let root: string;
let count = 0;
beforeEach(() => {
  root = path.join(work, String(count++));
  fs.mkdirSync(root);
});
const put = (name: string, content = name): void => {
  fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), content);
};
const selectAll = (context: ReturnType<typeof openDirectoryContext>) =>
  selectSources(context.tree, { sources: ['.'], where: 'the build context' });

describeWith({ needs: [asRoot()] }, 'the tree', () => {
  it('shows names as bytes, sorted bytewise', () => {
    for (const name of ['b', 'B', 'a\xffz', 'n\nl', '\xc3\xa9', 'a\\b', ' '])
      fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), bufferOf(name)]), name, 'latin1');
    const { tree } = openDirectoryContext({ root });
    expect(tree.readdir('')).toEqual([' ', 'B', 'a\\b', 'a\xffz', 'b', 'n\nl', '\xc3\xa9']);
    expect(tree.lstat('a\xffz')).toMatchObject({ type: 'file', size: 3 });
    expect(tree.sha256('a\xffz')).toBe('f79ecb64c384730f0141e3b72847ab50943eb47e884187dd053b99e5d22208e3');
  });

  it('says what a name is, owned by root', () => {
    put('file', '12345');
    fs.chmodSync(path.join(root, 'file'), 0o4751);
    fs.chownSync(path.join(root, 'file'), 1234, 5678);
    fs.utimesSync(path.join(root, 'file'), 1, 1.5);
    fs.chmodSync(path.join(root, 'file'), 0o4751);
    fs.linkSync(path.join(root, 'file'), path.join(root, 'twin'));
    fs.symlinkSync(bufferOf('to\xff'), path.join(root, 'link'));
    execFileSync('mkfifo', ['-m', '600', path.join(root, 'fifo')]);
    execFileSync('mknod', ['-m', '640', path.join(root, 'device'), 'b', '259', '70000']);
    fs.mkdirSync(path.join(root, 'dir'), { mode: 0o700 });
    const { tree } = openDirectoryContext({ root });
    const stat = fs.statSync(path.join(root, 'file'), { bigint: true });
    const owner = { uid: 0, gid: 0 };
    const inode = `${stat.dev}:${stat.ino}`;
    const file = { type: 'file', mode: 0o4751, ...owner, size: 5, mtimeNs: 1_500_000_000n, inode };
    expect(tree.lstat('file')).toEqual(file);
    expect(tree.lstat('twin')).toEqual(file);
    expect(tree.lstat('link')).toMatchObject({ type: 'symlink', link: 'to\xff', size: 0 });
    expect(tree.lstat('fifo')).toMatchObject({ type: 'fifo', mode: 0o600, size: 0 });
    expect(tree.lstat('device')).toMatchObject({ type: 'block', mode: 0o640, major: 259, minor: 70000 });
    expect(tree.lstat('dir')).toMatchObject({ type: 'directory', mode: 0o700, size: 0 });
    expect(tree.lstat('')).toMatchObject({ type: 'directory' });
    expect([tree.lstat('none'), tree.lstat('file/x'), tree.lstat('link/x'), tree.lstat('none/x')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect([tree.readdir('file'), tree.readdir('link'), tree.readdir('none')]).toEqual([[], [], []]);
  });

  it('gives the same by entries as by readdir and lstat', () => {
    for (const name of ['a/b/c', 'a/d', 'e', '.dockerignore']) put(name, 'a/d');
    const { tree } = openDirectoryContext({ root });
    for (const directory of ['', 'a', 'a/b', 'e']) {
      const names = tree.readdir(directory);
      const nodes = names.map((name) => tree.lstat(directory === '' ? name : `${directory}/${name}`));
      expect(tree.entries?.(directory).map(({ name, node }) => [name, node])).toEqual(
        names.map((name, i) => [name, nodes[i]]),
      );
    }
    expect(tree.readdir('a')).toEqual(['b']);
  });

  it('never opens a FIFO, and notices a file that became one', () => {
    put('file');
    const { tree } = openDirectoryContext({ root });
    tree.lstat('file');
    fs.rmSync(path.join(root, 'file'));
    execFileSync('mkfifo', [path.join(root, 'file')]);
    expect(() => tree.sha256('file')).toThrow(expect.objectContaining({ kind: 'changed' }));
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    expect(() => openDirectoryContext({ root }).tree.sha256('fifo')).toThrow(
      expect.objectContaining({ kind: 'changed' }),
    );
  });

  it('does not read through a link that replaced a file', () => {
    put('file');
    put('other', 'file');
    const { tree } = openDirectoryContext({ root });
    tree.lstat('file');
    fs.rmSync(path.join(root, 'file'));
    fs.symlinkSync('other', path.join(root, 'file'));
    expect(() => tree.sha256('file')).toThrow(expect.objectContaining({ code: 'CONTEXT_CHANGED' }));
  });

  it('does not read through a link that replaced a directory, even to the same file', () => {
    put('a/b/file');
    const { tree } = openDirectoryContext({ root });
    tree.lstat('a/b/file');
    fs.renameSync(path.join(root, 'a'), path.join(root, 'moved'));
    fs.symlinkSync('moved', path.join(root, 'a'));
    expect(() => tree.sha256('a/b/file')).toThrow(expect.objectContaining({ code: 'CONTEXT_CHANGED' }));
  });

  it('keeps no descriptor open', async () => {
    for (const name of ['a/b/1', 'a/b/2', 'c/3']) put(name);
    const descriptors = () => fs.readdirSync('/proc/self/fd').length;
    const { tree } = openDirectoryContext({ root });
    const before = descriptors();
    await tree.sha256All?.(['a/b/1', 'a/b/2', 'c/3']);
    fs.rmSync(path.join(root, 'a/b/2'));
    await expect(openDirectoryContext({ root }).tree.sha256All?.(['c/3', 'a/b/2'])).rejects.toThrow();
    tree.sha256('c/3');
    expect(descriptors()).toBe(before);
  });

  it.each([
    ['grew', (file: string) => fs.appendFileSync(file, 'x')],
    ['shrank', (file: string) => fs.truncateSync(file, 1)],
    ['was written again', (file: string) => fs.writeFileSync(file, 'other')],
    ['vanished', (file: string) => fs.rmSync(file)],
  ])('refuses a file that %s after it was looked at', (_how, change) => {
    put('file', 'first');
    const { tree } = openDirectoryContext({ root });
    tree.lstat('file');
    change(path.join(root, 'file'));
    expect(() => tree.sha256('file')).toThrow(expect.objectContaining({ kind: 'changed' }));
  });

  it('hashes files larger than its buffer', async () => {
    for (const size of [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20]) {
      put(`f${size}`, 'x'.repeat(size));
      const expected = execFileSync('sha256sum', [path.join(root, `f${size}`)])
        .toString()
        .slice(0, 64);
      const { tree } = openDirectoryContext({ root });
      expect(tree.sha256(`f${size}`)).toBe(expected);
      const ahead = openDirectoryContext({ root }).tree;
      expect(await ahead.sha256All?.([`f${size}`])).toEqual([expected]);
      expect(ahead.sha256(`f${size}`)).toBe(expected);
    }
  });

  it('lets a cancel through while it hashes', async () => {
    fs.closeSync(fs.openSync(path.join(root, 'huge'), 'w'));
    fs.truncateSync(path.join(root, 'huge'), 2 ** 40);
    const { tree } = openDirectoryContext({ root });
    const abort = new AbortController();
    const hashing = tree.sha256All?.(['huge'], abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(hashing).rejects.toMatchObject({ kind: 'canceled' });
  });

  it('says how to get by a directory that cannot be read', () => {
    put('closed/x');
    put('hidden/x');
    put('.dockerignore', 'hidden\n!hidden/y\n');
    const script = `
      import { openDirectoryContext } from ${JSON.stringify(new URL('../../src/context/directory-context.ts', import.meta.url).href)};
      process.setuid(65534);
      const { tree } = openDirectoryContext({ root: ${JSON.stringify(root)} });
      console.log(tree.readdir('').join(' '));
      try { tree.readdir('closed') } catch (error) { console.log(error.kind, error.message, error.hint) }`;
    for (const name of ['closed', 'hidden']) fs.chmodSync(path.join(root, name), 0o700);
    fs.chmodSync(work, 0o755);
    expect(
      execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString(),
    ).toMatchInlineSnapshot(`
      ".dockerignore closed
      denied cannot read "/closed" of the build context Make it readable, or hide it with a line in the ignore file.
      "
    `);
  });
});

describe('the ignore file', () => {
  it('is the one of the Dockerfile, then the one of the context', () => {
    put('.dockerignore', 'a');
    put('build/app.Dockerfile.dockerignore', 'b');
    put('a');
    put('b');
    const names = (dockerfile?: string) => {
      const context = openDirectoryContext({ root, dockerfile });
      return [
        context.ignoreFile?.name,
        context.tree
          .readdir('')
          .filter((name) => name.length === 1)
          .join(),
      ];
    };
    expect(names()).toEqual(['.dockerignore', 'b']);
    expect(names(path.join(root, 'Dockerfile'))).toEqual(['.dockerignore', 'b']);
    expect(names(path.join(root, 'build/app.Dockerfile'))).toEqual([
      'build/app.Dockerfile.dockerignore',
      'a',
    ]);
    const outside = path.join(work, 'outside.Dockerfile');
    fs.writeFileSync(`${outside}.dockerignore`, '?');
    expect(names(outside)).toEqual([`${outside}.dockerignore`, '']);
    expect(openDirectoryContext({ root, ignore: false }).tree.readdir('')).toContain('a');
  });

  it('tells what hides a name', () => {
    put('.dockerignore', '# no logs\n*.log\n');
    const context = openDirectoryContext({ root });
    expect([context.hiddenBy('x.log'), context.hiddenBy('x')]).toEqual([
      { line: 2, pattern: '*.log' },
      undefined,
    ]);
  });

  it('is refused when it is not a file, or too large', () => {
    execFileSync('mkfifo', [path.join(root, '.dockerignore')]);
    expect(() => openDirectoryContext({ root })).toThrow(/\.dockerignore is a FIFO, not a regular file/);
    fs.rmSync(path.join(root, '.dockerignore'));
    fs.mkdirSync(path.join(root, '.dockerignore'));
    expect(() => openDirectoryContext({ root })).toThrow(/is a directory, not a regular file/);
    fs.rmdirSync(path.join(root, '.dockerignore'));
    fs.symlinkSync('/dev/zero', path.join(root, '.dockerignore'));
    expect(() => openDirectoryContext({ root })).toThrow(/is a device, not a regular file/);
    fs.rmSync(path.join(root, '.dockerignore'));
    put('.dockerignore', '#'.repeat((4 << 20) + 1));
    expect(() => openDirectoryContext({ root })).toThrow(/ignore file .* is larger than 4194304 bytes/);
  });
});

it.each([
  ['nothing', 'not-found', 'CONTEXT_NOT_FOUND', 'unable to prepare context: path "X" not found'],
  ['file', 'invalid', 'CONTEXT_NOT_A_DIRECTORY', 'unable to prepare context: path "X" is not a directory'],
])('refuses %s as a context', (name, kind, code, message) => {
  put('file');
  const thrown = (() => {
    try {
      openDirectoryContext({ root: path.join(root, name), description: 'X' });
    } catch (error) {
      return error as SlipwayError;
    }
  })();
  expect(thrown).toMatchObject({ kind, code, message });
});

describe('what is remembered', () => {
  const settle = (): void => {
    // As if the files had been written long ago: the racy-timestamp rule keeps nothing else.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  };
  const digest = async (readXattrs?: (file: string) => Map<string, Buffer> | undefined) => {
    const context = openDirectoryContext({ root, indexDirectory: path.join(work, 'index'), readXattrs });
    const result = await digestSelection(context.tree, await selectAll(context));
    context.close();
    return result;
  };

  it('takes an unchanged file by its stat data alone', async () => {
    put('file', 'one');
    settle();
    const first = await digest();
    // Unreadable from now on, as far as the stat data tells nothing: only remembered digests can serve.
    const { atime, mtime } = fs.statSync(path.join(root, 'file'));
    expect(await digest()).toBe(first);
    fs.writeFileSync(path.join(root, 'file'), 'two');
    fs.utimesSync(path.join(root, 'file'), atime, mtime);
    expect(await digest()).not.toBe(first);
    fs.writeFileSync(path.join(root, 'file'), 'one');
    expect(await digest()).toBe(first);
  });

  it('opens no file that is known', async () => {
    for (let i = 0; i < 20; i++) put(`d/${i}`);
    settle();
    await digest();
    const trace = path.join(work, `trace-${count}`);
    const script = `
      import { openDirectoryContext } from ${JSON.stringify(new URL('../../src/context/directory-context.ts', import.meta.url).href)};
      import { selectSources } from ${JSON.stringify(new URL('../../src/context/select.ts', import.meta.url).href)};
      import { digestSelection } from ${JSON.stringify(new URL('../../src/cache/content-digest.ts', import.meta.url).href)};
      import fs from 'node:fs';
      const open = fs.openSync; const opened = [];
      fs.openSync = (file, ...rest) => {
        const descriptor = open(file, ...rest);
        opened.push(fs.readlinkSync('/proc/self/fd/' + descriptor));
        return descriptor;
      };
      const context = openDirectoryContext({ root: ${JSON.stringify(root)}, indexDirectory: ${JSON.stringify(path.join(work, 'index'))} });
      await digestSelection(context.tree, await selectSources(context.tree, { sources: ['d'], where: 'x' }));
      context.close();
      fs.writeFileSync(${JSON.stringify(trace)}, opened.filter((file) => file.startsWith(${JSON.stringify(`${root}/d/`)})).join());`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(fs.readFileSync(trace, 'utf8')).toBe('');
    fs.appendFileSync(path.join(root, 'd/7'), '!');
    execFileSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(fs.readFileSync(trace, 'utf8')).toBe(path.join(root, 'd/7'));
  });

  it('reads attributes only where the stat data is new', async () => {
    put('file');
    put('dir/inner');
    settle();
    const asked: string[] = [];
    const read = (file: string): Map<string, Buffer> | undefined => {
      asked.push(path.relative(root, file));
      const value = execFileSync('python3', [
        '-c',
        'import os,sys\nfor n in os.listxattr(sys.argv[1], follow_symlinks=False):\n  if n.startswith("user."): print(n, os.getxattr(sys.argv[1], n).hex())',
        file,
      ]).toString();
      const lines = value
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' '));
      return lines.length === 0
        ? undefined
        : new Map(lines.map(([name, hex]) => [name!, Buffer.from(hex!, 'hex')]));
    };
    const set = (file: string, hex: string): void => {
      execFileSync('python3', [
        '-c',
        'import os,sys\nos.setxattr(sys.argv[1], "user.a", bytes.fromhex(sys.argv[2]))',
        path.join(root, file),
        hex,
      ]);
      settle();
    };
    const plain = await digest(read);
    expect(asked.splice(0)).toEqual(['dir', 'file', 'dir/inner']);
    expect(await digest(read)).toBe(plain);
    expect(asked.splice(0)).toEqual([]);
    set('file', '00ff');
    const one = await digest(read);
    expect(asked.splice(0)).toEqual(['file']);
    expect(one).not.toBe(plain);
    expect(await digest(read)).toBe(one);
    set('dir', '01');
    const both = await digest(read);
    expect(asked.splice(0)).toEqual(['dir']);
    expect(both).not.toBe(one);
    expect(await digest(read)).toBe(both);
    expect(asked).toEqual([]);
  });
});

it('serves 200,000 files in bounded memory', async () => {
  fs.mkdirSync(path.join(root, 'd'));
  for (let i = 0; i < 200_000; i++) fs.closeSync(fs.openSync(path.join(root, 'd', `file-${i}`), 'w'));
  const script = `
    import { openDirectoryContext } from ${JSON.stringify(new URL('../../src/context/directory-context.ts', import.meta.url).href)};
    import { selectSources } from ${JSON.stringify(new URL('../../src/context/select.ts', import.meta.url).href)};
    import { digestSelection } from ${JSON.stringify(new URL('../../src/cache/content-digest.ts', import.meta.url).href)};
    const context = openDirectoryContext({ root: ${JSON.stringify(root)}, indexDirectory: ${JSON.stringify(path.join(work, 'index'))} });
    const selection = await selectSources(context.tree, { sources: ['.'], where: 'x' });
    const digest = await digestSelection(context.tree, selection);
    context.close();
    console.log(selection.sources[0].entries.length, digest, process.resourceUsage().maxRSS >> 10);`;
  const run = () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script]).toString().trim().split(' ');
  const [cold, warm] = [run(), run()];
  expect([cold[0], cold[1]]).toEqual(['200001', warm[1]]);
  // MiB of the whole process; 48 of them are Node.
  for (const [, , megabytes] of [cold, warm]) expect(Number(megabytes)).toBeLessThan(700);
  fs.rmSync(root, { recursive: true });
}, 300_000);
