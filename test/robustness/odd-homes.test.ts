import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, lutimesSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { suiteFolder } from '../support/folders.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, root } from '../support/need.ts';
import { type CommandOptions, command, ENTRY, EPOCH, resultOf, succeed } from './command.ts';
import { SmallDisk } from './disk.ts';
import { BASE } from './scenarios.ts';

/** One of everything that touches the store: import, RUN, COPY, COPY --from, a mount, run, save, load, rmi, check. */
const DOCKERFILE = `FROM ${BASE} AS other
COPY . /files
FROM ${BASE}
RUN --mount=from=other,target=/other --mount=type=cache,target=/cache cat /other/files/a > /read
COPY --from=other /files /copied/
RUN mkdir /d && chmod 750 /d && echo done > /d/done
`;

describeWith({ needs: [root()] }, 'the whole line', () => {
  const folder = suiteFolder('big');
  let context: string;
  let tar: string;
  let expected: string[] | undefined;
  const disks: SmallDisk[] = [];

  beforeAll(async () => {
    context = join(folder.path, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'a'), 'a\n');
    chmodSync(join(context, 'a'), 0o644);
    chmodSync(context, 0o755);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    chmodSync(join(context, 'Dockerfile'), 0o644);
    tar = join(folder.path, 'base.tar');
    writeFileSync(tar, (await makeBaseRootfs()).tar);
    expected = await wholeLine({ root: join(folder.path, 'plain') });
  });
  afterAll(() => {
    for (const disk of disks) disk.unmount();
  });

  /** Gives the digests of the layers that were built. */
  async function wholeLine(options: CommandOptions, from = context): Promise<string[]> {
    const archive = join(folder.path, 'archive.tar');
    await succeed(['import', tar, BASE], options);
    await succeed(['build', '-t', 'test/odd', from], options);
    expect(await succeed(['run', '--rm', 'test/odd', 'cat', '/read', '/copied/a', '/d/done'], options)).toBe(
      'a\na\ndone\n',
    );
    const layers = await layersOf('test/odd', options);
    await succeed(['save', '-o', archive, 'test/odd'], options);
    await succeed(['rmi', 'test/odd'], options);
    await succeed(['load', '-i', archive], options);
    expect(await succeed(['system', 'check'], options)).toBe('The store is whole.\n');
    expect(leftovers(options.root)).toEqual([]);
    rmSync(options.root, { recursive: true });
    return layers;
  }

  it.each([
    ['spaces', ' a  b '],
    ['quotes', `'single' "double" \`back\``],
    ['commas and colons', 'a,b:c,lowerdir=d:e'],
    ['backslashes', 'a\\b\\:c\\,d\\'],
    ['no ASCII', 'räumlich-倉庫-📦'],
    ['characters of addresses', '100%25?mode=ro&a#b'],
    ['line feeds and controls', 'a\nb\t\u0001\u001b[31m'],
    ['a dash', '--root'],
    ['variables and patterns', '$HOME {a,b} *[x] ;&|<>()!'],
    ['255 bytes', 'n'.repeat(255)],
  ])('in a store whose path has %s', async (_, name) => {
    expect(await wholeLine({ root: join(folder.path, name) })).toEqual(expected);
  });

  it.each([0o077, 0o000, 0o777])('with the umask %o', async (umask) => {
    const before = process.umask(umask);
    try {
      expect(await wholeLine({ root: join(folder.path, `umask${umask}`) })).toEqual(expected);
    } finally {
      process.umask(before);
    }
  });

  it.each<[string, NodeJS.ProcessEnv]>([
    ['no HOME', { HOME: undefined }],
    ['a HOME that is not there', { HOME: '/nonexistent', XDG_CACHE_HOME: undefined }],
    ['a TMPDIR that is not there', { TMPDIR: '/nonexistent/tmp' }],
    [
      'a huge environment',
      Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`BIG_${index}`, 'x'.repeat(10_000)])),
    ],
    ['odd variables', { 'A B': 'c', É: '\n', NODE_OPTIONS: '', LANG: 'xx_YY.nothing' }],
  ])('with %s', async (name, env) => {
    expect(await wholeLine({ root: join(folder.path, name), env })).toEqual(expected);
  });

  it('with the store on another file system than the context', async () => {
    const disk = new SmallDisk(join(folder.path, 'disk'), { megabytes: 64 });
    disks.push(disk);
    expect(await wholeLine({ root: join(disk.path, 'store') })).toEqual(expected);
  });

  it('with a context that cannot be written', async () => {
    const disk = new SmallDisk(join(folder.path, 'read-only'), { megabytes: 4 });
    disks.push(disk);
    execFileSync('cp', ['-a', `${context}/.`, disk.path]);
    execFileSync('mount', ['-o', 'remount,ro', disk.path]);
    expect(await wholeLine({ root: join(folder.path, 'read-only-store') }, disk.path)).toEqual(expected);
  });

  it.each([
    ['1970', 0],
    ['before 1970', -1_000_000],
    ['2100', 4_102_444_800],
  ])('with files of %s', async (name, seconds) => {
    const copy = join(folder.path, `times ${name}`);
    execFileSync('cp', ['-a', context, copy]);
    for (const file of ['a', 'Dockerfile']) utimesSync(join(copy, file), seconds, seconds);
    lutimesSync(copy, seconds, seconds);
    const options = { root: join(folder.path, `store ${name}`), env: { SOURCE_DATE_EPOCH: undefined } };
    await succeed(['import', tar, BASE], options);
    const id = await succeed(['build', '-q', copy], options);
    expect(await succeed(['build', '-q', copy], options)).toBe(id);
    // Its time says nothing of whether a file has changed.
    writeFileSync(join(copy, 'a'), 'b\n');
    utimesSync(join(copy, 'a'), seconds, seconds);
    const changed = (await succeed(['build', '-q', copy], options)).trim();
    expect(await succeed(['run', '--rm', changed, 'cat', '/read'], options)).toBe('b\n');
    expect(await succeed(['system', 'check'], options)).toMatch(/^The store is whole/m);
  });

  it.each([
    ['standard input', '<&-'],
    ['standard output', '>&-'],
    ['standard error', '2>&-'],
    ['all of them', '<&- >&- 2>&-'],
    ['few files at once', ''],
  ])('with closed streams: %s', async (name, redirections) => {
    const root = join(folder.path, `closed ${name}`);
    const limit = name === 'few files at once' ? 'ulimit -n 256;' : '';
    const shell = async (...args: string[]): Promise<number | null> => {
      const child = spawn(
        'sh',
        ['-c', `${limit} exec "$@" ${redirections}`, 'sh', process.execPath, ENTRY, ...args],
        {
          env: { ...process.env, SLIPWAY_ROOT: root, SOURCE_DATE_EPOCH: EPOCH },
        },
      );
      return (await resultOf(child)).exitCode;
    };
    expect(await shell('import', tar, BASE)).toBe(0);
    expect(await shell('build', '-t', 'test/closed', context)).toBe(0);
    expect(await shell('build', '--progress=plain', '--no-cache', '-t', 'test/closed', context)).toBe(0);
    expect(await shell('save', '-o', join(root, 'x.tar'), 'test/closed')).toBe(0);
    expect(await shell('run', '--rm', 'test/closed', 'true')).toBe(0);
    expect(await shell('system', 'check')).toBe(0);
    expect(leftovers(root)).toEqual([]);
    expect(await layersOf('test/closed', { root })).toHaveLength(expected!.length);
  });

  it('with names of 255 bytes and paths of more than 4096', async () => {
    const deep = join(folder.path, 'deep');
    mkdirSync(deep);
    writeFileSync(
      join(deep, 'Dockerfile'),
      `FROM ${BASE}\nCOPY tree /tree\nFROM ${BASE}\nCOPY --from=0 /tree /again\nRUN rm -r /again && echo gone > /gone\n`,
    );
    const name = 'n'.repeat(255);
    execFileSync('python3', [
      '-c',
      `import os,sys
os.chdir(sys.argv[1]); os.mkdir('tree'); os.chdir('tree')
for i in range(20):
    os.mkdir(sys.argv[2]); os.chdir(sys.argv[2])
open(sys.argv[2][:250], 'w').write('bottom')`,
      deep,
      name,
    ]);
    const options = { root: join(folder.path, 'deep store') };
    await succeed(['import', tar, BASE], options);
    const refused = await command(['build', '-q', deep], options);
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('a path that is too long'),
    });
    // A step may make such a tree, which can be deleted but not packed.
    const words = `N=${name.slice(55)}; i=0; while [ $i -lt 30 ]; do mkdir $N; cd $N; i=$((i+1)); done; echo bottom > f`;
    writeFileSync(join(deep, 'Dockerfile'), `FROM ${BASE}\nRUN ${words}\n`);
    const layer = await command(['build', '-q', deep], options);
    expect(layer).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('longer than the kernel lets'),
    });
    expect(await succeed(['system', 'check'], options)).toMatch(/^The store is whole/m);
    execFileSync('rm', ['-rf', deep]);
  });

  it('with odd arguments', async () => {
    const options = { root: join(folder.path, 'arguments') };
    await succeed(['import', tar, BASE], options);
    const odd = ['', ' ', '\n', 'é', '\u001b[31m', '\\0', '$(id)', '`id`', '"', "'", '--', '-x', '*'];
    const output = await succeed(
      ['run', '--rm', BASE, 'sh', '-c', 'for a; do echo "[$a]"; done', 'sh', ...odd],
      options,
    );
    expect(output).toBe(odd.map((each) => `[${each}]\n`).join(''));
    const file = join(context, 'arg.Dockerfile');
    writeFileSync(file, `FROM ${BASE}\nARG A\nRUN printf %s "$A" > /a\n`);
    for (const value of odd) {
      const id = await succeed(['build', '-q', '--build-arg', `A=${value}`, '-f', file, context], options);
      expect(await succeed(['run', '--rm', id.trim(), 'cat', '/a'], options)).toBe(value);
    }
    rmSync(file);
  });
});

async function layersOf(image: string, options: CommandOptions): Promise<string[]> {
  const [found] = JSON.parse(await succeed(['inspect', image], options)) as [
    { RootFS: { Layers: string[] } },
  ];
  return found.RootFS.Layers;
}
