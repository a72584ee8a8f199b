import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ListingTree } from '../../src/layer/listing-tree.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import type { EntryType, LayerEntry } from '../../src/layer/types.ts';
import { textOf } from '../../src/sys/bytes.ts';
import { root, testWith } from '../support/need.ts';
import { failure, tempDir } from './support.ts';

/** `d dir`, `f file`, `w whiteout`, `o opaque directory`, `h link>first`, in the packer's order. */
function listing(text: string): LayerEntry[] {
  const types: Record<string, EntryType> = { d: 'directory', o: 'directory', w: 'whiteout', l: 'symlink' };
  return text.split(',').map((item) => {
    const kind = item[0]!;
    const [path, first] = item.slice(2).split('>');
    const entry: LayerEntry = {
      path: path!,
      type: types[kind] ?? 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: 0,
      mtimeNs: 0n,
    };
    if (kind === 'o') entry.opaque = true;
    if (kind === 'l') entry.link = first!;
    if (kind === 'h') entry.hardLink = first!;
    if (kind === 'f') entry.sha256 = Buffer.from(path!).toString('hex');
    return entry;
  });
}

/** All visible names, found by walking. */
function walk(tree: ListingTree, path = ''): string[] {
  return tree.readdir(path).flatMap((name) => {
    const child = path === '' ? name : `${path}/${name}`;
    return [`${child}@${tree.layerOf(child)}`, ...walk(tree, child)];
  });
}

describe('merging', () => {
  test.each([
    ['one layer', ['d a,f a/b,f c'], ['a@0', 'a/b@0', 'c@0']],
    ['nothing', [], []],
    ['files replace', ['d a,f a/b', 'd a,f a/b,f a/c'], ['a@1', 'a/b@1', 'a/c@1']],
    ['a whiteout', ['d a,f a/b,f a/c', 'd a,w a/b'], ['a@1', 'a/c@0']],
    ['a whiteout of a directory', ['d a,f a/b', 'w a'], []],
    ['an opaque directory', ['d a,f a/b', 'o a,f a/c'], ['a@1', 'a/c@1']],
    ['an opaque directory in between', ['d a,f a/b', 'o a,f a/c', 'd a,f a/d'], ['a@2', 'a/c@1', 'a/d@2']],
    ['a file over a directory', ['d a,f a/b', 'f a'], ['a@1']],
    ['a directory over a file hides what that hid', ['d a,f a/b', 'f a', 'd a,f a/c'], ['a@2', 'a/c@2']],
    ['a name that comes back', ['f a', 'w a', 'f a'], ['a@2']],
    ['an opaque root', ['d a,f a/b', 'o ,f c'], ['c@1']],
    [
      'names that sort around the slash',
      ['d a,f a/b,f a-b,f a.b', 'd a,f a/c'],
      ['a@1', 'a/b@0', 'a/c@1', 'a-b@0', 'a.b@0'],
    ],
  ])('%s', (_, layers, wanted) => {
    const tree = new ListingTree(layers.map(listing));
    expect(walk(tree)).toEqual(wanted);
    for (const line of wanted) expect(tree.lstat(line.split('@')[0]!)).toBeDefined();
    expect(['x', 'a/b/c', 'c/x', 'a/x/y', 'c/'].map((path) => tree.lstat(path))).toEqual(
      Array(5).fill(undefined),
    );
    expect(tree.lstat('')).toMatchObject({ type: 'directory' });
  });

  test('hard links share an inode and a digest, also when the first name is hidden', () => {
    const tree = new ListingTree([listing('f a,h b>a,h c>a,f d'), listing('w a,h x>none')]);
    expect(['b', 'c', 'd'].map((path) => tree.lstat(path)!.inode)).toEqual(['0:a', '0:a', undefined]);
    expect(tree.sha256('b')).toBe(Buffer.from('a').toString('hex'));
    expect(tree.lstat('a')).toBeUndefined();
  });

  test('digests are of files only; links are not followed', async () => {
    const tree = new ListingTree([listing('d a,f a/f,l l>a')]);
    expect(tree.lstat('l')).toMatchObject({ type: 'symlink', link: 'a' });
    expect(tree.lstat('l/f')).toBeUndefined();
    for (const path of ['a', 'l', 'none', '']) {
      expect(await failure(() => tree.sha256(path))).toBe(
        `changed NOT_A_FILE: /${path} is not a file of this image`,
      );
    }
  });

  test.each(['f b,f a', 'f a,f a', 'f a/b', 'd a,f b,f a/c', 'f a,f a/b'])(
    'a listing out of order: %s',
    async (text) => {
      const tree = new ListingTree([listing(text)]);
      expect(await failure(() => tree.readdir(''))).toBe(
        'corrupt LISTING_CORRUPT: a layer listing is not in order',
      );
    },
  );
});

/** Runs in its own mount namespace: five layers of random changes made through overlayfs, then what it shows. */
const script = `
cd "$1"
mkdir merged work
lower=
for n in 0 1 2 3 4; do
  mkdir up$n
  chmod 755 up$n
  if [ -n "$lower" ]; then
    rm -rf work; mkdir work
    mount -t overlay -o lowerdir=$lower,upperdir=up$n,workdir=work,redirect_dir=nofollow,metacopy=off,index=off overlay merged
    at=merged
  else at=up$n; fi
  python3 - "$at" "$2" $n <<'PY'
import os, random, sys, shutil
root, seed, n = sys.argv[1], sys.argv[2], sys.argv[3]
r = random.Random(seed + n)
names = [b'a', b'b', b'c.d', b'c', b'\\xff\\xfe']
def pick(): return os.path.join(os.fsencode(root), *[r.choice(names) for _ in range(r.randint(1, 4))])
def gone(p):
    if os.path.islink(p) or not os.path.isdir(p): os.unlink(p)
    else: shutil.rmtree(p)
for _ in range(120):
    p, q = pick(), pick()
    try:
        k = r.randrange(12)
        if k < 3: os.makedirs(p)
        elif k < 6: open(p, 'wb').write(r.randbytes(r.randint(0, 3000)))
        elif k < 8: gone(p)
        elif k == 8: gone(p); os.mkdir(p)
        elif k == 9: os.link(p, q, follow_symlinks=False)
        elif k == 10: os.symlink(b'a/b', p)
        else: os.chmod(p, r.randrange(0o1000) | 0o700)
    except OSError: pass
PY
  if [ -n "$lower" ]; then
    [ $n = 4 ] || umount merged
    lower=up$n:$lower
  else lower=up$n; fi
done
cd merged
find . -mindepth 1 \\( -type f -printf '%P %y %m %s ' -exec sha256sum --zero {} \\; -o -printf '%P %y %m %s %l\\0' \\)
`;

testWith({ needs: [root()] }, 'what overlayfs shows, after random changes in five layers', () => {
  let names = 0;
  for (const seed of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const dir = tempDir();
    const run = spawnSync('unshare', ['-m', 'sh', '-ec', script, 'sh', dir, seed], { encoding: 'latin1' });
    expect(run.stderr).toBe('');
    const seen = run.stdout
      .split('\0')
      .filter(Boolean)
      .map((line) => {
        const [path, kind, mode, size, rest] = line.split(' ');
        return [path, kind, mode, kind === 'f' ? size : '0', rest].join(' ');
      });
    const layers = [0, 1, 2, 3, 4].map((n) => hashLayer(join(dir, `up${n}`)).entries);
    const tree = new ListingTree(layers);
    const kinds: Record<string, string> = { file: 'f', directory: 'd', symlink: 'l' };
    const ours = walk(tree).map((line) => {
      const path = line.slice(0, line.lastIndexOf('@'));
      const { type, mode, size, link } = tree.lstat(path)!;
      const rest = type === 'file' ? tree.sha256(path) : (link ?? '');
      return [path, kinds[type], mode.toString(8), size, rest].join(' ');
    });
    expect(ours.map(textOf).sort()).toEqual(seen.map(textOf).sort());
    names += ours.length;
    expect(layers.some((entries) => entries.some((e) => e.type === 'whiteout'))).toBe(true);
  }
  expect(names).toBeGreaterThan(100);
  expect(fs.readFileSync('/proc/self/mounts', 'utf8')).not.toContain('slipway-layer-');
});
