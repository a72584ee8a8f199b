import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeEach, describe, expect, it, test } from 'vitest';
import { KeptSources } from '../../src/context/kept/kept-sources.ts';
import { type OpenContextRequest, openContext } from '../../src/context/open-context.ts';
import type { RemoteAccess } from '../../src/context/remote-access.ts';
import { selectSources } from '../../src/context/select.ts';
import { openTarContext } from '../../src/context/tar-context.ts';
import type { SlipwayError } from '../../src/errors/index.ts';

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'open-context-'));
afterAll(() => fs.rmSync(work, { recursive: true }));
let root: string;
let temporaryDirectory: string;
let count = 0;
beforeEach(() => {
  root = path.join(work, String(count++));
  temporaryDirectory = path.join(root, 'tmp');
  fs.mkdirSync(path.join(root, 'ctx'), { recursive: true });
});
const put = (name: string, content = name): void => {
  fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), content);
};
const stream = (...chunks: (string | Buffer)[]): AsyncIterable<Buffer> =>
  Readable.from(chunks.map((c) => Buffer.from(c)));
const unread: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => {
    throw new Error('standard input was touched');
  },
};
const open = (argument: string, more: Partial<OpenContextRequest> = {}) =>
  openContext({ argument, cwd: root, stdin: unread, temporaryDirectory, ...more });
const failure = async (opening: Promise<unknown>): Promise<unknown> => {
  const error = (await opening.then(
    () => new Error('it did not fail'),
    (thrown) => thrown,
  )) as SlipwayError;
  return [error.kind, error.code, error.message.replaceAll(root, 'ROOT')];
};

describe('a directory', () => {
  it('holds Dockerfile, else dockerfile', async () => {
    put('ctx/dockerfile', 'lower');
    const lower = await open('ctx');
    expect([lower.dockerfile.name, String(lower.dockerfile.content)]).toEqual(['dockerfile', 'lower']);
    put('ctx/Dockerfile', 'upper');
    const upper = await open('./ctx/');
    expect([upper.dockerfile.name, String(upper.dockerfile.content)]).toEqual(['Dockerfile', 'upper']);
    expect(upper.context.root).toBe(path.join(root, 'ctx'));
  });

  it('takes -f relative to the working directory, inside or outside', async () => {
    put('ctx/sub/F', 'inside');
    put('ctx/sub/F.dockerignore', 'sub');
    put('F', 'outside');
    const inside = await open('ctx', { file: 'ctx/sub/F' });
    expect([String(inside.dockerfile.content), inside.context.ignoreFile?.name]).toEqual([
      'inside',
      'sub/F.dockerignore',
    ]);
    expect(inside.context.tree.readdir('')).toEqual([]);
    const outside = await open('ctx', { file: 'F' });
    expect([String(outside.dockerfile.content), outside.context.tree.readdir('')]).toEqual([
      'outside',
      ['sub'],
    ]);
  });

  it('takes the Dockerfile from standard input', async () => {
    put('ctx/.dockerignore', 'a');
    put('ctx/a');
    const { context, dockerfile } = await open('ctx', { file: '-', stdin: stream('FROM ', 'scratch') });
    expect([dockerfile.name, String(dockerfile.content), context.tree.readdir('')]).toEqual([
      '-',
      'FROM scratch',
      ['.dockerignore'],
    ]);
  });

  it('says what is wrong with the Dockerfile', async () => {
    expect(await failure(open('ctx'))).toEqual([
      'not-found',
      'DOCKERFILE_NOT_FOUND',
      'failed to read dockerfile: open Dockerfile: no such file or directory',
    ]);
    expect(await failure(open('ctx', { file: 'no/F' }))).toEqual([
      'not-found',
      'DOCKERFILE_NOT_FOUND',
      'failed to read dockerfile: open no/F: no such file or directory',
    ]);
    execFileSync('mkfifo', [path.join(root, 'fifo')]);
    expect(await failure(open('ctx', { file: 'fifo' }))).toEqual([
      'invalid',
      'NOT_A_REGULAR_FILE',
      'ROOT/fifo is a FIFO, not a regular file',
    ]);
    expect(await failure(open('ctx', { file: '/dev/zero' }))).toEqual([
      'invalid',
      'NOT_A_REGULAR_FILE',
      '/dev/zero is a device, not a regular file',
    ]);
    expect(await failure(open('ctx', { file: 'ctx' }))).toEqual([
      'invalid',
      'NOT_A_REGULAR_FILE',
      'ROOT/ctx is a directory, not a regular file',
    ]);
    fs.closeSync(fs.openSync(path.join(root, 'big'), 'w'));
    fs.truncateSync(path.join(root, 'big'), 2 ** 40);
    expect(await failure(open('ctx', { file: 'big' }))).toEqual([
      'exhausted',
      'FILE_TOO_LARGE',
      'Dockerfile ROOT/big is larger than 16777216 bytes',
    ]);
  });

  it('must exist', async () => {
    expect(await failure(open('none'))).toEqual([
      'not-found',
      'CONTEXT_NOT_FOUND',
      'unable to prepare context: path "none" not found',
    ]);
  });
});

describe('standard input', () => {
  it('is a Dockerfile when it is text', async () => {
    const { context, dockerfile } = await open('-', { stdin: stream('F', 'ROM scratch\n', 'CMD x') });
    expect([dockerfile.name, String(dockerfile.content), context.root]).toEqual([
      '-',
      'FROM scratch\nCMD x',
      undefined,
    ]);
    const selecting = selectSources(context.tree, { sources: ['a'], where: 'the build context', context });
    await expect(selecting).rejects.toMatchObject({
      message: '"/a": not found in the build context',
      hint: expect.stringContaining('There is no build context'),
    });
    const everything = await selectSources(context.tree, { sources: ['.'], where: 'the build context' });
    expect(everything.sources.map((source) => source.entries)).toEqual([[]]);
    const empty = await open('-', { stdin: stream() });
    expect(empty.dockerfile.content.length).toBe(0);
  });

  it('cannot be two things', async () => {
    expect(await failure(open('-', { file: '-' }))).toEqual([
      'usage',
      'STDIN_USED_TWICE',
      "invalid argument: can't use stdin for both build context and dockerfile",
    ]);
    expect(await failure(open('-', { file: 'F', stdin: stream('FROM scratch') }))).toEqual([
      'usage',
      'STDIN_USED_TWICE',
      'ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles',
    ]);
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1 << 20, 'x');
      })(),
    );
    expect(await failure(open('-', { stdin: endless }))).toMatchObject([
      'exhausted',
      'FILE_TOO_LARGE',
      expect.anything(),
    ]);
  });

  test.each<[name: string, format: string, filter: string[]]>([
    ['tar', 'gnu', []],
    ['v7 tar', 'v7', []],
    ['pax', 'posix', []],
    ['gzip', 'gnu', ['-z']],
    ['bzip2', 'gnu', ['-j']],
    ['xz', 'gnu', ['-J']],
    ['zstd', 'gnu', ['--zstd']],
  ])('is a context when it is %s', async (_name, format, filter) => {
    put('ctx/Dockerfile', 'FROM scratch');
    put('ctx/.dockerignore', 'dir');
    put('ctx/dir/file', 'x'.repeat(100_000));
    fs.chmodSync(path.join(root, 'ctx/dir/file'), 0o751);
    fs.utimesSync(path.join(root, 'ctx/dir/file'), 1234567890, 1234567890);
    fs.symlinkSync('../../../etc/passwd', path.join(root, 'ctx/dir/link'));
    fs.linkSync(path.join(root, 'ctx/dir/file'), path.join(root, 'ctx/twin'));
    const archive = execFileSync(
      'tar',
      ['-c', `--format=${format}`, ...filter, '-C', path.join(root, 'ctx'), '.'],
      {
        maxBuffer: 1 << 28,
      },
    );
    const { context, dockerfile } = await open('-', {
      stdin: stream(archive.subarray(0, 100), archive.subarray(100)),
    });
    expect(String(dockerfile.content)).toBe('FROM scratch');
    // No ignore file applies to an archive.
    expect(context.tree.readdir('')).toEqual(['.dockerignore', 'Dockerfile', 'dir', 'twin']);
    expect(context.tree.lstat('dir/file')).toMatchObject({
      mode: 0o751,
      size: 100_000,
      mtimeNs: 1234567890n * 10n ** 9n,
    });
    expect(context.tree.lstat('dir/file')?.inode).toBe(context.tree.lstat('twin')?.inode);
    expect(context.tree.lstat('dir/link')?.link).toBe('../../../etc/passwd');
    expect(fs.readdirSync(temporaryDirectory)).toHaveLength(1);
    context.close();
    expect(fs.readdirSync(temporaryDirectory)).toEqual([]);
  });

  it('keeps names that are not UTF-8', async () => {
    put('ctx/Dockerfile');
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/ctx/`), Buffer.from([0xff, 0x61])]), 'x');
    const archive = execFileSync('tar', ['-c', '--format=gnu', '-C', path.join(root, 'ctx'), '.']);
    const { context } = await open('-', { stdin: stream(archive) });
    expect(context.tree.readdir('')).toEqual(['Dockerfile', '\xffa']);
    context.close();
  });

  it('finds the Dockerfile inside the archive only', async () => {
    put('ctx/sub/F', 'FROM sub');
    put('secret', 'FROM secret');
    fs.symlinkSync(path.join(root, 'secret'), path.join(root, 'ctx/Dockerfile'));
    fs.symlinkSync('../../secret', path.join(root, 'ctx/sub/escape'));
    fs.symlinkSync('/sub/F', path.join(root, 'ctx/sub/ok'));
    const archive = execFileSync('tar', ['-c', '-C', path.join(root, 'ctx'), '.']);
    const text = async (file: string) => {
      const { context, dockerfile } = await open('-', { file, stdin: stream(archive) });
      context.close();
      return String(dockerfile.content);
    };
    expect([await text('sub/F'), await text('/sub/ok'), await text('../sub/F')]).toEqual([
      'FROM sub',
      'FROM sub',
      'FROM sub',
    ]);
    for (const file of [undefined, 'sub/escape', 'nope'])
      expect(await failure(open('-', { file, stdin: stream(archive) }))).toMatchObject([
        'not-found',
        'DOCKERFILE_NOT_FOUND',
        {},
      ]);
    expect(fs.readdirSync(temporaryDirectory)).toEqual([]);
  });
});

describe('an archive that means no good', () => {
  type Item = Partial<Header> & { name: string };
  const archive = async (items: Item[]): Promise<Buffer> => {
    const packing = pack();
    for (const item of items)
      packing.entry(
        { ...item },
        item.type === undefined || item.type === 'file' ? 'x' : (undefined as never),
      );
    packing.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of packing) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  test.each<[name: string, items: Item[], message: RegExp]>([
    ['leaves by ..', [{ name: '../evil' }], /"\.\.\/evil" is not a safe name/],
    ['leaves by .. inside', [{ name: 'a/../../evil' }], /is not a safe name/],
    [
      'writes through a link',
      [{ name: 'l', type: 'symlink', linkname: '/tmp' }, { name: 'l/evil' }],
      /"l" is used as a directory and is none/,
    ],
    [
      'makes a directory of a link',
      [
        { name: 'l', type: 'symlink', linkname: '/tmp' },
        { name: 'l', type: 'directory' },
      ],
      /"l" is used as a directory and is none/,
    ],
    [
      'links to a file outside',
      [{ name: 'h', type: 'link', linkname: '/etc/passwd' }],
      /"h" is a hard link to a file that is not there/,
    ],
    [
      'links to a link',
      [
        { name: 'l', type: 'symlink', linkname: '/etc/passwd' },
        { name: 'h', type: 'link', linkname: 'l' },
      ],
      /"h" is a hard link to a file that is not there/,
    ],
    [
      'holds a device',
      [{ name: 'd', type: 'block-device', devmajor: 8, devminor: 0 }],
      /"d" is a block-device/,
    ],
    ['holds a FIFO', [{ name: 'f', type: 'fifo' }], /"f" is a fifo/],
    [
      'replaces a directory',
      [{ name: 'd', type: 'directory' }, { name: 'd' }],
      /"d" is a directory and something else/,
    ],
    ['is the root as a file', [{ name: './' + '.', type: 'file' }], /name of the root/],
  ])('%s', async (_name, items, message) => {
    const result = open('-', { stdin: stream(await archive([{ name: 'Dockerfile' }, ...items])) });
    await expect(result).rejects.toThrow(message);
    await expect(result).rejects.toMatchObject({ kind: 'invalid', code: 'BAD_CONTEXT_ARCHIVE' });
    expect(fs.readdirSync(temporaryDirectory)).toEqual([]);
  });

  it('takes an absolute name as one inside, and the last of two entries', async () => {
    const items: Item[] = [
      { name: '/abs/a', type: 'file' },
      { name: 'twice', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'twice', type: 'file' },
      { name: 'Dockerfile' },
    ];
    const { context } = await open('-', { stdin: stream(await archive(items)) });
    expect(context.tree.readdir('')).toEqual(['Dockerfile', 'abs', 'twice']);
    expect(context.tree.lstat('twice')?.type).toBe('file');
    context.close();
  });

  it('stops at the limits', async () => {
    const three = await archive([{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    for (const limits of [
      { entries: 2, bytes: 100 },
      { entries: 100, bytes: 2 },
    ])
      await expect(
        openTarContext(stream(three), { description: 'x', temporaryDirectory, limits }),
      ).rejects.toMatchObject({ kind: 'exhausted', code: 'CONTEXT_TOO_LARGE' });
    expect(fs.readdirSync(temporaryDirectory)).toEqual([]);
  });

  it('is cut short, damaged, or cancelled', async () => {
    put('ctx/Dockerfile', 'x'.repeat(1 << 20));
    const tar = execFileSync('tar', ['-c', '-C', path.join(root, 'ctx'), '.'], { maxBuffer: 1 << 28 });
    const gzip = execFileSync('gzip', ['-c'], { input: tar });
    expect(await failure(open('-', { stdin: stream(tar.subarray(0, 5000)) }))).toMatchObject([
      'invalid',
      'BAD_CONTEXT_ARCHIVE',
      {},
    ]);
    expect(await failure(open('-', { stdin: stream(gzip.subarray(0, 900)) }))).toMatchObject([
      'invalid',
      'BAD_COMPRESSION',
      {},
    ]);
    const abort = new AbortController();
    async function* slow(): AsyncGenerator<Buffer> {
      yield tar.subarray(0, 5000);
      abort.abort();
      await new Promise(() => {});
    }
    expect(await failure(open('-', { stdin: slow(), signal: abort.signal }))).toMatchObject([
      'canceled',
      'CANCELED',
      {},
    ]);
    expect(fs.readdirSync(temporaryDirectory)).toEqual([]);
  });
});

test('a scheme that nothing is read by is refused, and files that look like it are files', async () => {
  const kept = new KeptSources({ root: path.join(root, 'kept') });
  const access = async (): Promise<RemoteAccess> => ({
    kept,
    env: {},
    temporaryDirectory,
    secret: async () => undefined,
    sshAgent: async () => undefined,
  });
  expect(await failure(open('ftp://user:secret@example.com/x.tar', { access }))).toEqual([
    'unsupported',
    'CONTEXT_SCHEME',
    'a build context cannot be read by ftp://',
  ]);
  put('a.git/Dockerfile', 'in a folder');
  const { dockerfile } = await open('a.git', { access });
  expect(String(dockerfile.content)).toBe('in a folder');
});
