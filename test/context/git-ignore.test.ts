import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openDirectoryContext } from '../../src/context/directory-context.ts';
import { selectSources } from '../../src/context/select.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { makeTree } from './ignore-cases.ts';

/** Nobody's own settings. */
const GIT = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', PATH: process.env.PATH, LC_ALL: 'C' };

const TREE = [
  'a.log',
  'b.txt',
  'ab',
  '.env',
  '#x',
  '!y',
  'with blank',
  'foo/a.log',
  'foo/b.txt',
  'foo/bar/a.log',
  'foo/bar/baz/c.md',
  'src/main.c',
  'src/foo/a.log',
  'docs/foo/b.txt',
  'docs/[x]',
  'docs/a-b',
  'out/deep/er/x.o',
  'Foo/a.LOG',
  'build',
  'src/build/x',
];

/** `.gitignore` files by directory, and what each case is about. */
const CASES: readonly [name: string, files: Record<string, string>][] = [
  ['a name anywhere', { '': 'a.log\n' }],
  ['a leading slash', { '': '/a.log\n' }],
  ['a slash in the middle', { '': 'foo/a.log\n' }],
  ['a slash behind a backslash', { '': 'foo\\/a.log\n**\\/main.c\nout/*\\/x.o\n\\/docs\nbar\\/\n' }],
  ['a trailing slash', { '': 'build/\n' }],
  ['a directory anywhere', { '': 'foo\n' }],
  ['a star', { '': '*.log\n' }],
  ['a star does not cross a slash', { '': 'foo/*\n' }],
  ['a star in a path', { '': '*/foo\n' }],
  ['leading double star', { '': '**/foo\n' }],
  ['trailing double star', { '': 'foo/**\n' }],
  ['double star in the middle', { '': 'out/**/x.o\n' }],
  ['double star for nothing', { '': 'src/**/main.c\n' }],
  ['double star in a name', { '': 'f**o\n' }],
  ['double star behind the plain part of a path', { '': 'foo/b**/c.md\nsrc/f**/**\nou**/er\n!docs/f**\n' }],
  ['question mark', { '': '?b\n' }],
  ['classes', { '': 'docs/[[]x]\ndocs/a[+-]b\n[[:upper:]]oo\n' }],
  ['negated classes', { '': '[!a].txt\n[^b].log\n' }],
  ['a class does not match a slash', { '': 'foo[/]a.log\n' }],
  ['open class', { '': 'a[\n*.txt\n' }],
  ['escapes', { '': '\\#x\n\\!y\nwith\\ blank\n' }],
  ['comment', { '': '#x\n a.log\n' }],
  ['trailing blanks', { '': 'a.log   \nb.txt\\ \n' }],
  ['CRLF and BOM', { '': '\ufeffa.log\r\nb.txt\r\n' }],
  ['backslash at the end', { '': 'a.log\\\nb.txt\n' }],
  ['exception', { '': '*.log\n!a.log\n' }],
  ['no exception below a hidden directory', { '': 'foo\n!foo/b.txt\n' }],
  ['exception of what a directory holds', { '': 'foo/*\n!foo/b.txt\n' }],
  ['everything but', { '': '/*\n!/src\n!/docs\n' }],
  ['files in directories', { '': '*.log\n', foo: '!a.log\n', 'foo/bar': 'baz/\n' }],
  ['anchored in a directory', { foo: '/a.log\n', src: 'foo/a.log\n' }],
  ['a directory undoes its parent', { '': 'b.txt\n', docs: '!b.txt\n' }],
  ['hidden directory with a file of its own', { '': 'foo/\n', foo: '!*\n' }],
  ['case', { '': 'foo/\nA.log\n' }],
  ['everything', { '': '*\n' }],
  ['everything, twice', { '': '**\n' }],
  ['dot files', { '': '.*\n' }],
];

describeWith({ needs: [program('git', 'git')] }, '--ignore-from=gitignore', () => {
  const folder = suiteFolder('big');
  let count = 0;

  const repository = (files: Record<string, string>): string => {
    const root = path.join(folder.path, `r${count++}`);
    makeTree(root, TREE);
    execFileSync('git', ['init', '-q', root], { env: GIT });
    for (const [directory, text] of Object.entries(files)) {
      fs.writeFileSync(path.join(root, directory, '.gitignore'), text);
    }
    return root;
  };
  const names = (root: string, directory = ''): string[] =>
    fs.readdirSync(path.join(root, directory), { withFileTypes: true }).flatMap((entry) => {
      const name = path.join(directory, entry.name);
      if (entry.name === '.git') return [];
      return entry.isDirectory() ? [name, ...names(root, name)] : [name];
    });
  /** What git hides, tracked or not. */
  const hiddenByGit = (root: string): string[] => {
    const { stdout, stderr } = spawnSync('git', ['check-ignore', '--no-index', '-z', '--stdin'], {
      cwd: root,
      env: GIT,
      input: names(root).join('\0'),
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout.split('\0').filter(Boolean).sort();
  };
  const visible = async (root: string): Promise<string[]> => {
    const context = openDirectoryContext({ root, ignoreFrom: 'gitignore' });
    const { sources } = await selectSources(context.tree, { sources: ['.'], where: 'the build context' });
    context.close();
    return sources.flatMap(({ entries }) => entries.map((entry) => entry.path));
  };
  const expectSame = async (root: string): Promise<void> => {
    const hidden = new Set(hiddenByGit(root));
    const expected = names(root).filter((name) => !hidden.has(name));
    expect((await visible(root)).sort()).toEqual(expected.sort());
  };

  it.each(CASES)('hides what git ignores: %s', async (_name, files) => {
    await expectSame(repository(files));
  });

  it('agrees with git on random patterns', async () => {
    const piece = fc.constantFrom(
      'foo',
      'bar',
      'a.log',
      '*',
      '**',
      '?',
      '/',
      '/',
      '[a-f]',
      '!',
      '\\',
      '.',
      'b',
      '[!x]',
    );
    const line = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
    const root = repository({});
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 4 }),
        fc.array(line, { maxLength: 2 }),
        async (top, foo) => {
          fs.writeFileSync(path.join(root, '.gitignore'), `${top.join('\n')}\n`);
          fs.writeFileSync(path.join(root, 'foo/.gitignore'), `${foo.join('\n')}\n`);
          await expectSame(root);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('reads the files of the repository around a context, and never shows .git', async () => {
    const root = repository({ '': '*.log\n/src/foo\ndocs/\n', src: '*.c\n' });
    fs.mkdirSync(path.join(root, 'src/sub/.git'), { recursive: true });
    fs.writeFileSync(path.join(root, 'src/sub/x'), '');
    expect(await visible(path.join(root, 'src'))).toEqual(['.gitignore', 'build', 'build/x', 'sub', 'sub/x']);
    expect(await visible(path.join(root, 'docs'))).toContain('foo/b.txt');
  });

  it('is overruled by the ignore file of the context', async () => {
    const root = repository({ '': '*.log\nout\n' });
    fs.writeFileSync(path.join(root, '.dockerignore'), '**/foo\n!out/deep\n!foo/a.log\n');
    const context = openDirectoryContext({ root, ignoreFrom: 'gitignore' });
    const shown = await visible(root);
    expect(shown.filter((name) => /out|log|b\.txt/.test(name))).toEqual([
      'b.txt',
      'foo/a.log',
      'out',
      'out/deep',
      'out/deep/er',
      'out/deep/er/x.o',
    ]);
    expect(
      ['a.log', 'foo/b.txt', 'out/deep', '.git', 'src/foo/a.log'].map((name) => context.hiddenBy(name)),
    ).toEqual([
      { file: '.gitignore', line: 1, pattern: '*.log' },
      { line: 1, pattern: '**/foo' },
      undefined,
      { file: 'git', line: 0, pattern: '.git' },
      { line: 1, pattern: '**/foo' },
    ]);
    context.close();
  });

  it('takes links, FIFOs and directories of that name for nothing', async () => {
    const root = repository({});
    fs.writeFileSync(path.join(root, 'rules'), '*\n');
    fs.symlinkSync('rules', path.join(root, '.gitignore'));
    execFileSync('mkfifo', [path.join(root, 'foo/.gitignore')]);
    fs.mkdirSync(path.join(root, 'src/.gitignore'));
    expect(await visible(root)).toEqual(expect.arrayContaining(['a.log', 'foo/a.log', 'src/main.c']));
  });

  it('takes no time for patterns of many stars', async () => {
    const root = repository({ '': `${'a*'.repeat(60)}b\n${'**/a/'.repeat(30)}b\n` });
    fs.writeFileSync(path.join(root, 'a'.repeat(250)), '');
    expect((await visible(root)).length).toBeGreaterThan(20);
  });
});
