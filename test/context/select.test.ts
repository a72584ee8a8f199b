import { describe, expect, it, test } from 'vitest';
import { selectSources } from '../../src/context/select.ts';
import type { SelectionRequest } from '../../src/context/selection.ts';
import type { SlipwayError } from '../../src/errors/index.ts';
import { memoryTree } from './memory-tree.ts';

const files = {
  'top.md': 'top',
  'a.txt': 'a',
  'b.txt': 'b',
  '.hidden': 'h',
  'dir/x.c': 'x',
  'dir/y.h': 'y',
  'dir/sub/z.c': 'z',
  'dir/sub/link': '-> ../x.c',
  'dir/sub/dangling': '-> nowhere',
  'other/x.c': 'other',
  'empty/': '',
  'to-file': '-> dir/x.c',
  'to-dir': '-> dir',
  absolute: '-> /dir/sub',
  escaping: '-> ../../../top.md',
  dangling: '-> nowhere',
  loop1: '-> loop2',
  loop2: '-> loop1',
  chain: '-> to-dir/sub/link',
  'odd[1].txt': 'odd',
  'back\\slash': 'bs',
  'caf\xc3\xa9': 'é',
  'bad\xff': 'bytes',
  'new\nline': 'nl',
  Case: 'upper',
  case: 'lower',
};

/** One line per selected source: `name <- path: entries`. */
async function select(sources: string[], more: Partial<SelectionRequest> = {}): Promise<string[]> {
  const selection = await selectSources(memoryTree(files), { sources, where: 'the build context', ...more });
  return selection.sources.map(
    (one) => `${one.name} <- ${one.path || '.'}: ${one.entries.map((entry) => entry.path || '.').join(' ')}`,
  );
}

const dir = 'dir <- dir: sub sub/dangling sub/link sub/z.c x.c y.h';

// Confirmed with Docker 26.1. Of these it refuses `dir/**` for the dangling link inside (moby/buildkit#4946), and it
// cannot take names that are not UTF-8.
describe('sources', () => {
  test.each<[source: string, selected: string[]]>([
    ['top.md', ['top.md <- top.md: .']],
    ['dir', [dir]],
    ['dir/', [dir]],
    ['dir/.', [dir]],
    ['./dir//sub/..', [dir]],
    ['../dir', [dir]],
    ['/dir', [dir]],
    ['/../../dir/x.c', ['x.c <- dir/x.c: .']],
    ['top.md/', ['top.md <- top.md: .']],
    ['empty', ['empty <- empty: ']],
    ['to-file', ['to-file <- dir/x.c: .']],
    ['to-dir', [dir.replace('dir <-', 'to-dir <-')]],
    ['to-dir/x.c', ['x.c <- dir/x.c: .']],
    ['absolute', ['absolute <- dir/sub: dangling link z.c']],
    ['escaping', ['escaping <- top.md: .']],
    ['chain', ['chain <- dir/x.c: .']],
    ['[ab].txt', ['a.txt <- a.txt: .', 'b.txt <- b.txt: .']],
    ['[!a].txt', ['a.txt <- a.txt: .']],
    ['?.txt', ['a.txt <- a.txt: .', 'b.txt <- b.txt: .']],
    ['.h*', ['.hidden <- .hidden: .']],
    ['*hidden', ['.hidden <- .hidden: .']],
    ['none*', []],
    ['dir/none*', []],
    ['d*/x.c', ['x.c <- dir/x.c: .']],
    ['*/x.c', ['x.c <- dir/x.c: .', 'x.c <- other/x.c: .']],
    ['to-dir/*.c', ['x.c <- dir/x.c: .']],
    ['to-d*/x.c', []],
    ['to-d*', [dir.replace('dir <-', 'to-dir <-')]],
    ['**/x.c', ['x.c <- dir/x.c: .', 'x.c <- other/x.c: .']],
    ['dir/**', ['sub <- dir/sub: dangling link z.c', 'x.c <- dir/x.c: .', 'y.h <- dir/y.h: .']],
    ['odd[[]1].txt', ['odd[1].txt <- odd[1].txt: .']],
    ['odd[1].txt', []],
    ['back\\slash', ['back\\slash <- back\\slash: .']],
    ['café', ['caf\xc3\xa9 <- caf\xc3\xa9: .']],
    ['caf?', ['caf\xc3\xa9 <- caf\xc3\xa9: .']],
    ['bad?', ['bad\xff <- bad\xff: .']],
    ['new?line', ['new\nline <- new\nline: .']],
    ['case', ['case <- case: .']],
    ['[Cc]ase', ['Case <- Case: .', 'case <- case: .']],
  ])('%j', async (source, selected) => {
    expect(await select([source])).toEqual(selected);
  });

  it('keeps the order of the line', async () => {
    expect(await select(['b.txt', 'dir/sub/z.c', 'a.txt'])).toEqual([
      'b.txt <- b.txt: .',
      'z.c <- dir/sub/z.c: .',
      'a.txt <- a.txt: .',
    ]);
  });

  it('gives a bind mount the directory itself too', async () => {
    expect(await select(['dir/sub'], { withRoot: true })).toEqual(['sub <- dir/sub: . dangling link z.c']);
    expect((await select(['/'], { withRoot: true }))[0]).toMatch(/^ <- \.: \. \.hidden /);
  });
});

describe('what cannot be selected', () => {
  const failure = async (source: string, more: Partial<SelectionRequest> = {}): Promise<unknown> => {
    const error = (await select([source], more).catch((thrown) => thrown)) as SlipwayError;
    return [error.kind, error.code, error.message, error.hint];
  };
  test.each<[source: string, kind: string, code: string, message: string, hint: string | undefined]>([
    ['nope', 'not-found', 'SOURCE_NOT_FOUND', '"/nope": not found in the build context', undefined],
    ['top.md/x', 'not-found', 'SOURCE_NOT_FOUND', '"/top.md/x": not found in the build context', undefined],
    ['top.md/*', 'not-found', 'SOURCE_NOT_FOUND', '"/top.md": not found in the build context', undefined],
    ['nodir/*.c', 'not-found', 'SOURCE_NOT_FOUND', '"/nodir": not found in the build context', undefined],
    [
      'top.mb',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/top.mb": not found in the build context',
      'Did you mean "top.md"?',
    ],
    [
      'dri/x.c',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/dri/x.c": not found in the build context',
      'Did you mean "dir"?',
    ],
    [
      'to-dir/X.c',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/to-dir/X.c": not found in the build context',
      'Did you mean "to-dir/x.c"?',
    ],
    [
      '../secret',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/secret": not found in the build context',
      '"../secret" cannot leave the build context: it means "secret" there.',
    ],
    [
      'dangling',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/dangling": not found in the build context',
      'It is a symbolic link to "nowhere", which does not exist inside the build context.',
    ],
    [
      'dang*',
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/dangling": not found in the build context',
      'It is a symbolic link to "nowhere", which does not exist inside the build context.',
    ],
    [
      'loop1',
      'invalid',
      'SYMLINK_LOOP',
      '"/loop1": too many links',
      'A symbolic link on the way points back to itself.',
    ],
    [
      'loop1/x',
      'invalid',
      'SYMLINK_LOOP',
      '"/loop1/x": too many links',
      'A symbolic link on the way points back to itself.',
    ],
    [
      'a[',
      'syntax',
      'BAD_PATTERN',
      'syntax error in pattern: "a["',
      'A "[" needs its "]"; write "[[]" for the character itself.',
    ],
  ])('%j', async (source, ...expected) => {
    expect(await failure(source)).toEqual(expected);
  });

  it('names the rule that hides it', async () => {
    const context = {
      root: '/x',
      ignoreFile: { name: 'app.dockerignore', text: '' },
      hiddenBy: (path: string) => (path === 'gone.txt' ? { line: 3, pattern: '*.txt' } : undefined),
    };
    expect(await failure('gone.txt', { context })).toEqual([
      'not-found',
      'SOURCE_NOT_FOUND',
      '"/gone.txt": not found in the build context',
      'Line 3 of app.dockerignore ("*.txt") hides it.',
    ]);
  });

  it('makes control characters in names harmless', async () => {
    expect(await failure('\x1b[31mx')).toMatchObject({ 2: expect.stringContaining('\\x1b[31mx') });
  });

  it('stops when it is cancelled', async () => {
    const wide = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`d${i}/f`, '']));
    const signal = AbortSignal.abort();
    await expect(
      selectSources(memoryTree(wide), { sources: ['.'], where: 'x', signal }),
    ).rejects.toMatchObject({ kind: 'canceled' });
  });
});

describe('--exclude', () => {
  test.each<[source: string, exclude: string[], selected: string[]]>([
    ['dir', ['*.c'], ['dir <- dir: sub sub/dangling sub/link sub/z.c y.h']],
    ['dir', ['**/*.c'], ['dir <- dir: sub sub/dangling sub/link y.h']],
    ['dir', ['sub'], ['dir <- dir: x.c y.h']],
    ['dir', ['sub', '!sub/z.c'], ['dir <- dir: sub sub/z.c x.c y.h']],
    ['dir', ['sub', '!sub/nothing'], ['dir <- dir: x.c y.h']],
    ['dir', ['dir/x.c'], ['dir <- dir: sub sub/dangling sub/link sub/z.c x.c y.h']],
    ['dir', ['/x.c'], ['dir <- dir: sub sub/dangling sub/link sub/z.c x.c y.h']],
    ['dir', ['*'], ['dir <- dir: ']],
    ['?.txt', ['b*'], ['a.txt <- a.txt: .']],
    ['a.txt', ['a*'], ['a.txt <- a.txt: .']],
    ['di*', ['x.c', 'sub'], ['dir <- dir: y.h']],
  ])('%j without %j', async (source, exclude, selected) => {
    expect(await select([source], { exclude })).toEqual(selected);
  });
});

describe('--parents', () => {
  test.each<[source: string, selected: string[]]>([
    ['dir/x.c', [' <- .: dir dir/x.c']],
    ['./dir/sub/z.c', [' <- .: dir dir/sub dir/sub/z.c']],
    ['dir/sub', [' <- .: dir dir/sub dir/sub/dangling dir/sub/link dir/sub/z.c']],
    ['dir/sub/.', [' <- .: dir dir/sub dir/sub/dangling dir/sub/link dir/sub/z.c']],
    ['dir/./sub', [' <- dir: sub sub/dangling sub/link sub/z.c']],
    ['/dir/./sub/z.c', [' <- dir: sub sub/z.c']],
    ['./dir/./sub/./z.c', [' <- dir: sub sub/z.c']],
    ['*/x.c', [' <- .: dir dir/x.c other other/x.c']],
    ['**/*.c', [' <- .: dir dir/sub dir/sub/z.c dir/x.c other other/x.c']],
    ['d*/./**/z.c', [' <- dir: sub sub/z.c']],
    ['to-dir/./sub/z.c', [' <- dir: sub sub/z.c']],
    ['none*/./x', []],
    ['**/none', []],
    ['empty', [' <- .: empty']],
    ['dir/sub/link', [' <- .: dir dir/sub dir/sub/link']],
  ])('%j', async (source, selected) => {
    expect(await select([source], { parents: true })).toEqual(selected);
  });

  it('takes everything for the root', async () => {
    const [all] = await select(['.'], { parents: true });
    expect(all).toMatch(/^ <- \.: \.hidden Case a\.txt /);
  });

  it('wants a literal path to exist', async () => {
    await expect(select(['dir/nope'], { parents: true })).rejects.toThrow('"/dir/nope": not found');
    await expect(select(['nope/./x'], { parents: true })).rejects.toThrow('"/nope/x": not found');
  });

  it('applies --exclude below the pivot', async () => {
    expect(await select(['dir/./sub'], { parents: true, exclude: ['sub/z.c'] })).toEqual([
      ' <- dir: sub sub/dangling sub/link',
    ]);
    expect(await select(['dir/x.c'], { parents: true, exclude: ['**/*.c'] })).toEqual([]);
  });
});
