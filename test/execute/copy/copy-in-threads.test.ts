import { execFileSync } from 'node:child_process';
import { appendFileSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import { digestSelection } from '../../../src/cache/content-digest.ts';
import { openDirectoryContext } from '../../../src/context/directory-context.ts';
import { selectSources } from '../../../src/context/select.ts';
import { copyInThreads, sharedSource } from '../../../src/execute/copy/copy-in-threads.ts';
import type { CopyStepRequest } from '../../../src/execute/copy/copy-step.ts';
import { writtenEntries } from '../../../src/execute/copy/written-tree.ts';
import type { SelectedFile } from '../../../src/execute/executor.ts';
import { plainSnapshot } from '../../../src/execute/snapshot/plain.ts';
import { hashLayer } from '../../../src/layer/pack.ts';
import { comparePaths } from '../../../src/layer/paths.ts';
import { bytesOf } from '../../../src/sys/bytes.ts';
import { loadSys } from '../../../src/sys/linux.ts';
import { tempDir } from '../../layer/support.ts';
import { REPRODUCIBLE } from '../../rootless/images.ts';
import { ordinaryUser, BASE as USER_BASE } from '../../rootless/ordinary-user.ts';
import { largeTree, plainTree } from '../../support/large-tree.ts';
import { BASE, type Built, libraryStore } from '../../support/library-store.ts';
import { describeWith, program, root } from '../../support/need.ts';
import { slipway } from '../../support/slipway.ts';

const EPOCH = 1_700_000_000;

/** user::rwx, user:1000:rwx, group::r-x, mask::rwx, other::r-x as the kernel keeps it (linux/posix_acl_xattr.h). */
const DEFAULT_ACL = Buffer.from(
  [
    '02000000',
    '01000700ffffffff',
    '02000700e8030000',
    '04000500ffffffff',
    '10000700ffffffff',
    '20000500ffffffff',
  ].join(''),
  'hex',
);

describeWith({ needs: [root()] }, 'a large COPY', () => {
  const store = libraryStore();
  const topDiffId = (built: Built): string =>
    (built.config() as unknown as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids.at(-1)!;

  it.each([
    ['', '/new/place', '0:0', largeTree],
    ['--chown=7:8', '/new/place', '7:8', largeTree],
    ['--link', '/new/place/', '0:0', largeTree],
    // A directory of the base: nothing is new but what is in it.
    ['', '/srv/tree', '0:0', largeTree],
    // Of these trees everything is known when they are copied.
    ['', '/new/place', '0:0', plainTree],
    ['--chown=7:8', '/srv/tree', '7:8', plainTree],
    ['--link', '/new/place/', '0:0', plainTree],
  ])(
    'COPY %s . %s is the layer that GNU cp would make (owner %s, %o)',
    async (flags, destination, owner, make) => {
      const context = store.empty();
      make(context);
      const made = await store.build(`FROM ${BASE}\nRUN mkdir /srv\nCOPY ${flags} . ${destination}\n`, {
        context,
        env: { SOURCE_DATE_EPOCH: String(EPOCH) },
      });
      const expected = tempDir();
      const place = join(expected, destination);
      mkdirSync(place, { recursive: true });
      execFileSync('cp', ['-a', `${context}/.`, place]);
      execFileSync('chown', ['-hR', owner, ...readdirSync(expected).map((name) => join(expected, name))]);
      execFileSync('chmod', ['0755', expected, join(expected, destination, '..'), place]);
      // The capabilities of a file go with its owner, and so do these bits.
      execFileSync('chmod', ['4755', join(place, 'setuid')]);
      if (destination.startsWith('/srv')) execFileSync('chown', ['0:0', join(expected, 'srv')]);
      expect(topDiffId(made)).toBe(hashLayer(expected, { clampMtime: EPOCH }).diffId);
    },
  );

  it.each([
    ['large', '', largeTree],
    ['small', '', () => {}],
    ['small', '--link', () => {}],
  ])('a device that overlayfs takes for a whiteout stays a device (%s %s)', async (_, flags, fill) => {
    const context = store.empty();
    fill(context);
    execFileSync('mknod', [join(context, 'zero'), 'c', '0', '0']);
    const made = await store.build(`FROM ${BASE}\nCOPY ${flags} . /new/place/\n`, { context });
    expect(made.layer(-1)).toContain('new/place/zero');
  });
});

/** What a build would copy of a directory. */
async function requestOf(from: string, to: string): Promise<CopyStepRequest> {
  const context = openDirectoryContext({ root: from });
  const { tree } = context;
  const selection = await selectSources(tree, { sources: ['.'], where: 'the build context' });
  await digestSelection(tree, selection);
  const files = selection.sources[0]!.entries.map(({ path, node }): SelectedFile => {
    const { type, mode, size, link } = node;
    const sha256 = node.known?.sha256;
    return { path, type, mode, size, ...(link !== undefined && { link }), ...(sha256 && { sha256 }) };
  });
  context.close();
  return {
    operation: {
      instruction: 'COPY',
      destination: '/to',
      link: false,
      heredocs: [],
      // What an ordinary user can give a file.
      chown: `${process.getuid!()}:${process.getgid!()}`,
    } as unknown as CopyStepRequest['operation'],
    root: bytesOf(to),
    from: bytesOf(from),
    sources: [{ path: '', name: 'x', directory: true, files }],
    keepOwner: false,
  };
}

/** Copies as a step does, and gives the snapshot that it was copied to. */
async function copy(from: string, spoil: (request: CopyStepRequest) => void, signal?: AbortSignal) {
  const folder = tempDir();
  for (const name of ['layers', 'active']) mkdirSync(join(folder, name));
  const snapshot = plainSnapshot({ layers: join(folder, 'layers'), active: join(folder, 'active') });
  const request = await requestOf(from, snapshot.root);
  const source = sharedSource(request)!;
  spoil(request);
  const copied = copyInThreads({
    sys: loadSys(),
    request,
    source,
    snapshot,
    signal: signal ?? new AbortController().signal,
  });
  return { snapshot, copied };
}

test('a file that is not what it was ends the copy, and no thread goes on with it', async () => {
  const from = tempDir();
  largeTree(from);
  for (const spoil of [
    () => appendFileSync(join(from, 'd4/e4/f9'), 'more'),
    () => rmSync(join(from, 'd3/e3/f9')),
    () => rmSync(join(from, 'd5'), { recursive: true }),
  ]) {
    const { snapshot, copied } = await copy(from, spoil);
    await expect(copied).rejects.toMatchObject({ kind: 'changed', code: 'SOURCE_CHANGED' });
    snapshot.discard();
    expect(lstatSync(snapshot.root, { throwIfNoEntry: false })).toBeUndefined();
  }
});

/** What a copy says of its tree, and what is on the disk. */
async function compare(
  from: string,
  prepare: (snapshot: string) => void,
  spoil = (_: CopyStepRequest) => {},
) {
  const { snapshot, copied } = await copy(from, (request) => {
    prepare(snapshotRootOf(request));
    spoil(request);
  });
  const { tree } = await copied;
  const found = hashLayer(snapshot.root);
  const known = tree && { path: tree.path, entries: [...writtenEntries(tree)] };
  known?.entries.sort((a, b) => comparePaths(a.path, b.path));
  return {
    root: snapshot.root,
    known,
    found,
    below: found.entries.filter(({ path }) => path.startsWith('to/')),
  };
}

const snapshotRootOf = ({ root }: CopyStepRequest): string => Buffer.from(root, 'latin1').toString();

test('what a copy says of its tree is what is on the disk, and packs to the same', async () => {
  const from = tempDir();
  plainTree(from);
  for (const chmod of [undefined, '0750', 'g+s,o-r']) {
    const spoil = ({ operation }: CopyStepRequest) => void Object.assign(operation, { chmod });
    const { root, known, found, below } = await compare(from, () => {}, spoil);
    expect(known?.path).toBe('to');
    expect(known?.entries).toEqual(below);
    expect(hashLayer(root, { known: known! })).toEqual(found);
    const options = { clampMtime: 1_500_000_000 };
    expect(hashLayer(root, { known: known!, ...options }).diffId).toBe(hashLayer(root, options).diffId);
  }
});

test('a tree with a name that its selection does not describe is read again', async () => {
  const from = tempDir();
  plainTree(from);
  execFileSync('mkfifo', [join(from, 'fifo')]);
  expect((await compare(from, () => {})).known).toBeUndefined();
  rmSync(join(from, 'fifo'));
  const undescribed: Partial<SelectedFile>[] = [{ hardLink: 'nothing' }, { xattrs: [['user.note', '']] }];
  for (const more of undescribed) {
    const { known } = await compare(
      from,
      () => {},
      ({ sources }) => {
        Object.assign(sources[0]!.files.find(({ path }) => path === 'setuid')!, more);
      },
    );
    expect(known).toBeUndefined();
  }
});

test('a tree below a directory that passes an access control list on is read again', async () => {
  const from = tempDir();
  plainTree(from);
  const { known, below } = await compare(from, (snapshot) =>
    loadSys().lsetxattr(snapshot, 'system.posix_acl_default', DEFAULT_ACL),
  );
  expect(known).toBeUndefined();
  expect(below.find(({ path }) => path === 'to/nothing')?.xattrs?.has('system.posix_acl_access')).toBe(true);
});

test('a cancel ends the copy', async () => {
  const from = tempDir();
  largeTree(from);
  const abort = new AbortController();
  const { snapshot, copied } = await copy(from, () => abort.abort(), abort.signal);
  await expect(copied).rejects.toMatchObject({ kind: 'canceled' });
  snapshot.discard();
  expect(lstatSync(snapshot.root, { throwIfNoEntry: false })).toBeUndefined();
});

const needs = [root(), program('useradd', 'passwd'), program('newuidmap', 'uidmap')];
for (const [name, ranges] of [
  ['a user with subordinate ids', ['700500000:65536']],
  ['a user with a single id', []],
] as const) {
  describeWith({ needs }, `a large COPY: ${name}`, () => {
    const user = ordinaryUser(ranges);

    it('gives the image that it gives root', async () => {
      const options = { root: join(user.folder, 'store-of-root'), cwd: user.folder, env: REPRODUCIBLE };
      await slipway(['import', join(user.folder, 'base.tar'), USER_BASE], options);
      const context = user.context('large', {
        Dockerfile: `FROM ${USER_BASE}\nCOPY --chown=7:8 tree /new/place\n`,
      });
      mkdirSync(join(context, 'tree'));
      largeTree(join(context, 'tree'));
      execFileSync('chown', ['-Rh', `${user.uid}:${user.uid}`, context]);
      execFileSync('chmod', ['4755', join(context, 'tree/setuid')]);
      execFileSync('touch', ['-d', '@1600000000', join(context, 'tree/setuid')]);
      const here = await user.ok(['build', '-q', context], { env: REPRODUCIBLE });
      expect(here).toBe(await slipway(['build', '-q', context], options));
      expect((await user.ok(['system', 'check'])).trim()).toBe('The store is whole.');
    });
  });
}
