import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Snapshotter } from '../../src/execute/snapshot/snapshotter.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import type { LayerEntry, Overrides } from '../../src/layer/types.ts';
import { fsPath } from '../../src/sys/bytes.ts';
import { loadSys } from '../../src/sys/linux.ts';

/** A snapshotter to be tested, over an empty folder of layers. */
export interface SnapshotterUnderTest {
  snapshotter: Snapshotter;
  layers: string;
  /** Marks are `user.overlay.*`. */
  userxattr: boolean;
  /** Keeps what a commit recorded where the snapshotter looks for it. */
  record(layer: string, overrides: Overrides): void;
}

/** What every snapshotter must do. `make` gives one with no layers; called in each test. */
export function snapshotterConformance(name: string, make: () => SnapshotterUnderTest): void {
  describe(`snapshotter ${name}`, () => {
    it('starts with an empty root of 0755', () => {
      const { snapshotter } = make();
      const snapshot = snapshotter.prepare([]);
      expect(readdirSync(snapshot.root)).toEqual([]);
      expect(lstatSync(snapshot.root).mode & 0o7777).toBe(0o755);
      snapshot.discard();
    });

    it('gives a layer of exactly what was made', () => {
      const test = make();
      const packed = layer(test, [], '1', (root) => {
        mkdirSync(join(root, 'd/e'), { recursive: true });
        writeFileSync(join(root, 'd/e/f'), 'text');
        symlinkSync('nowhere', join(root, 'd/l'));
        linkSync(join(root, 'd/e/f'), join(root, 'hard'));
        chownSync(join(root, 'hard'), 5, 6);
        chmodSync(join(root, 'hard'), 0o4711);
        execFileSync('mkfifo', [join(root, 'fifo')]);
        loadSys().lsetxattr(join(root, 'd'), 'user.note', Buffer.from('n'));
      });
      expect(packed).toEqual([
        'directory d 755 0:0 user.note=n',
        'directory d/e 755 0:0',
        'file d/e/f 4711 5:6 text',
        'symlink d/l 777 0:0 nowhere',
        'fifo fifo 644 0:0',
        'file hard 4711 5:6 = d/e/f',
      ]);
    });

    it('sees changes of content, mode, owner, time and size, each alone', () => {
      const test = make();
      const names = ['content', 'mode', 'mtime', 'none', 'owner', 'size', 'xattr'];
      layer(test, [], '1', (root) => {
        for (const each of names) writeFileSync(join(root, each), 'same');
      });
      const packed = layer(test, ['1'], '2', (root) => {
        const { atime, mtime } = lstatSync(join(root, 'content'));
        writeFileSync(join(root, 'content'), 'other'.slice(0, 4));
        utimesSync(join(root, 'content'), atime, mtime);
        chmodSync(join(root, 'mode'), 0o600);
        utimesSync(join(root, 'mtime'), 1, 1);
        readFileSync(join(root, 'none'));
        chownSync(join(root, 'owner'), 7, 7);
        truncateSync(join(root, 'size'), 2);
        loadSys().lsetxattr(join(root, 'xattr'), 'user.a', Buffer.from('b'));
      });
      expect(packed).toEqual([
        'file content 644 0:0 othe',
        'file mode 600 0:0 same',
        'file mtime 644 0:0 same',
        'file owner 644 7:7 same',
        'file size 644 0:0 sa',
        'file xattr 644 0:0 same user.a=b',
      ]);
    });

    it('marks what is gone, and what took the place of something else', () => {
      const test = make();
      layer(test, [], '1', (root) => {
        for (const each of ['gone', 'inner/gone', 'replaced/old', 'tofile/x']) {
          mkdirSync(join(root, each, '..'), { recursive: true });
          writeFileSync(join(root, each), 'old');
        }
        writeFileSync(join(root, 'todir'), 'old');
      });
      layer(test, ['1'], '2', (root) => {
        rmSync(join(root, 'gone'));
        rmSync(join(root, 'inner/gone'));
        rmSync(join(root, 'replaced'), { recursive: true });
        mkdirSync(join(root, 'replaced'));
        writeFileSync(join(root, 'replaced/new'), 'new');
        rmSync(join(root, 'tofile'), { recursive: true });
        writeFileSync(join(root, 'tofile'), 'new');
        rmSync(join(root, 'todir'));
        mkdirSync(join(root, 'todir/sub'), { recursive: true });
      });
      expect(treeOf(test, ['1', '2'])).toEqual([
        'inner/',
        'replaced/',
        'replaced/new new',
        'todir/',
        'todir/sub/',
        'tofile new',
      ]);
      const again = test.snapshotter.prepare(['1', '2']);
      expect(readdirSync(join(again.root, 'replaced'))).toEqual(['new']);
      again.discard();
    });

    it('follows a directory that was renamed', () => {
      const test = make();
      layer(test, [], '1', (root) => {
        mkdirSync(join(root, 'from/deep'), { recursive: true });
        writeFileSync(join(root, 'from/deep/file'), 'kept');
      });
      layer(test, ['1'], '2', (root) => {
        try {
          renameSync(join(root, 'from'), join(root, 'to'));
        } catch {
          // Overlayfs without redirects refuses; mv(1) copies then.
          execFileSync('mv', [join(root, 'from'), join(root, 'to')]);
        }
      });
      expect(treeOf(test, ['1', '2'])).toEqual(['to/', 'to/deep/', 'to/deep/file kept']);
    });

    it('keeps attributes of directories, and times, from layer to layer', () => {
      const test = make();
      layer(test, [], '1', (root) => {
        mkdirSync(join(root, 'd'));
        writeFileSync(join(root, 'd/f'), 'x');
        chownSync(join(root, 'd'), 8, 9);
        chmodSync(join(root, 'd'), 0o1771);
        utimesSync(join(root, 'd'), 1000, 1000);
        utimesSync(join(root, 'd/f'), 2000, 2000);
        chmodSync(root, 0o711);
        chownSync(root, 3, 4);
      });
      const packed = layer(test, ['1'], '2', (root) => {
        writeFileSync(join(root, 'd/g'), 'y');
        utimesSync(join(root, 'd'), 3000, 3000);
      });
      expect(packed).toEqual(['directory  711 3:4', 'directory d 1771 8:9', 'file d/g 644 0:0 y']);
      const view = test.snapshotter.view(['1', '2']);
      expect(lstatSync(join(view.root, 'd')).mtimeMs).toBe(3_000_000);
      expect(lstatSync(join(view.root, 'd/f')).mtimeMs).toBe(2_000_000);
      expect(lstatSync(view.root).mode & 0o7777).toBe(0o711);
      view.close();
    });

    it('says of a changed name whether it is still the same', () => {
      const test = make();
      layer(test, [], '1', (root) => {
        for (const each of ['changed', 'replaced', 'kept']) writeFileSync(join(root, each), 'x');
      });
      const snapshot = test.snapshotter.prepare(['1']);
      writeFileSync(join(snapshot.root, 'changed'), 'more', { flag: 'a' });
      rmSync(join(snapshot.root, 'replaced'));
      writeFileSync(join(snapshot.root, 'replaced'), 'other');
      const { hasChanged } = snapshot.commit('2');
      expect(['changed', 'replaced', 'kept', 'absent'].map(hasChanged)).toEqual([true, false, false, false]);
      snapshot.discard();
    });

    it('lets two snapshots stand on one parent, and drops what is discarded', () => {
      const test = make();
      layer(test, [], '1', (root) => writeFileSync(join(root, 'base'), 'b'));
      const [one, two] = [test.snapshotter.prepare(['1']), test.snapshotter.prepare(['1'])];
      writeFileSync(join(one.root, 'one'), '1');
      writeFileSync(join(two.root, 'base'), 'changed');
      one.discard();
      one.discard();
      two.commit('2');
      two.discard();
      expect(treeOf(test, ['1', '2'])).toEqual(['base changed']);
      expect(treeOf(test, ['1'])).toEqual(['base b']);
      expect(readdirSync(test.layers).sort()).toEqual(['1', '2']);
    });

    it('keeps views as they are while steps go on', () => {
      const test = make();
      layer(test, [], '1', (root) => writeFileSync(join(root, 'a'), '1'));
      layer(test, ['1'], '2', (root) => writeFileSync(join(root, 'b'), '2'));
      const view = test.snapshotter.view(['1', '2']);
      layer(test, ['1', '2'], '3', (root) => rmSync(join(root, 'a')));
      expect(readdirSync(view.root).sort()).toEqual(['a', 'b']);
      view.close();
      expect(treeOf(test, ['1', '2', '3'])).toEqual(['b 2']);
    });

    it('takes names that are not UTF-8, and sparse files', () => {
      const test = make();
      const bad = Buffer.from([0x66, 0xff, 0xfe]);
      layer(test, [], '1', (root) => {
        writeFileSync(Buffer.concat([Buffer.from(`${root}/`), bad]), 'x');
        writeFileSync(join(root, 'sparse'), 'start');
        truncateSync(join(root, 'sparse'), 64 << 20);
      });
      layer(test, ['1'], '2', (root) => chmodSync(join(root, 'sparse'), 0o600));
      const view = test.snapshotter.view(['1', '2']);
      expect(readdirSync(view.root, 'buffer').some((found) => found.equals(bad))).toBe(true);
      const stat = lstatSync(join(view.root, 'sparse'));
      expect(stat.size).toBe(64 << 20);
      expect(stat.blocks * 512).toBeLessThan(16 << 20);
      view.close();
    });

    it('stacks a hundred layers', () => {
      const test = make();
      const chain: string[] = [];
      for (let i = 1; i <= 100; i++) {
        const id = i.toString(36);
        layer(test, chain, id, (root) => writeFileSync(join(root, 'count'), `${i}`));
        chain.push(id);
      }
      expect(treeOf(test, chain)).toEqual(['count 100']);
    });
  });
}

/** Makes a layer and gives its entries as the packer has them, one line each. */
function layer(
  test: SnapshotterUnderTest,
  parent: string[],
  id: string,
  change: (root: string) => void,
): string[] {
  const snapshot = test.snapshotter.prepare(parent);
  change(snapshot.root);
  const { overrides } = snapshot.commit(id);
  snapshot.discard();
  test.record(id, overrides);
  const { entries } = hashLayer(join(test.layers, id), { userxattr: test.userxattr, overrides });
  return entries.map((entry) => describeEntry(entry, join(test.layers, id)));
}

function describeEntry(entry: LayerEntry, directory: string): string {
  const { type, path, mode, uid, gid, hardLink, link, xattrs } = entry;
  const words = [type, path, mode.toString(8), `${uid}:${gid}`];
  if (hardLink !== undefined) words.push('=', hardLink);
  else if (type === 'file') words.push(readStart(`${directory}/${path}`));
  if (link !== undefined) words.push(link);
  for (const [name, value] of hardLink === undefined ? (xattrs ?? []) : []) words.push(`${name}=${value}`);
  if (entry.opaque) words.push('opaque');
  return words.join(' ');
}

function readStart(path: string): string {
  return readFileSync(fsPath(path), 'utf8').slice(0, 10).replaceAll('\0', '');
}

/** The merged names of a chain with the contents of files, seen through a view. */
function treeOf(test: SnapshotterUnderTest, chain: string[]): string[] {
  const view = test.snapshotter.view(chain);
  try {
    const names = (readdirSync(view.root, { recursive: true }) as string[]).sort();
    return names.map((name) => {
      const path = join(view.root, name);
      const stat = lstatSync(path);
      if (stat.isDirectory()) return `${name}/`;
      return `${name} ${stat.isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'utf8')}`;
    });
  } finally {
    view.close();
  }
}
