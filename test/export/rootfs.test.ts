import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importRootfs } from '../../src/export/import-rootfs.ts';
import { registerLayer } from '../../src/export/register.ts';
import { writeRootfsDirectory } from '../../src/export/rootfs-directory.ts';
import { writeRootfsTar } from '../../src/export/rootfs-tar.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { abandonLayer, allocateLayer } from '../../src/store/layers.ts';
import { layerDirectory } from '../../src/store/layout.ts';
import { startLease } from '../../src/store/leases.ts';
import { newStore, outcomeOf, tempDir } from '../store/support.ts';
import { describeWith, root } from '../support/need.ts';
import { listTar } from './support.ts';

/** A root file system with one of each thing. */
function rootfs(): string {
  const dir = join(tempDir(), 'rootfs');
  fs.mkdirSync(join(dir, 'bin'), { recursive: true });
  fs.writeFileSync(join(dir, 'bin/su'), 'su');
  fs.chmodSync(join(dir, 'bin/su'), 0o4755);
  fs.linkSync(join(dir, 'bin/su'), join(dir, 'bin/hard'));
  fs.symlinkSync('../bin/su', join(dir, 'bin/soft'));
  fs.symlinkSync('/nowhere', join(dir, 'dangling'));
  fs.mkdirSync(join(dir, 'tmp'));
  fs.chmodSync(join(dir, 'tmp'), 0o1777);
  fs.mkdirSync(join(dir, 'closed'), { mode: 0o500 });
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff])]), 'bytes');
  execFileSync('mkfifo', ['-m', '640', join(dir, 'pipe')]);
  fs.utimesSync(join(dir, 'bin/su'), 1_000_000, 1_000_000);
  fs.lutimesSync(join(dir, 'bin/soft'), 1_000_001, 1_000_001);
  for (const name of ['closed', 'tmp', 'bin', '']) fs.utimesSync(join(dir, name), 1_000_002, 1_000_002);
  return dir;
}

/** `find` with everything that a copy keeps. */
function listing(directory: string): string {
  return execFileSync('find', ['.', '-printf', '%P %y %m %n %T@ %l\\n'], {
    cwd: directory,
    encoding: 'latin1',
  })
    .split('\n')
    .filter((line) => line !== '' && !/^(?:f\xff|pipe|dangling) /.test(line))
    .sort()
    .join('\n')
    .replace(/\.0000000000/g, '');
}

describeWith({ needs: [root()] }, 'root file systems as output', () => {
  test('a directory gets what is there, belongs to the caller, and keeps its own other files', () => {
    const source = rootfs();
    execFileSync('mknod', [join(source, 'null'), 'c', '1', '3']);
    fs.chownSync(join(source, 'bin/su'), 1000, 1000);
    fs.chmodSync(join(source, 'bin/su'), 0o4755);
    const target = join(tempDir(), 'new', 'out');
    const outside = tempDir();
    fs.writeFileSync(join(outside, 'su'), 'precious');
    fs.mkdirSync(join(target, 'dangling', 'sub'), { recursive: true });
    fs.symlinkSync(outside, join(target, 'bin'));
    fs.writeFileSync(join(target, 'own'), 'mine');
    for (let round = 0; round < 2; round++) {
      const { skipped } = writeRootfsDirectory(source, target);
      expect(skipped).toEqual([`${source}/null`]);
    }
    expect(fs.readFileSync(join(outside, 'su'), 'utf8')).toBe('precious');
    expect(fs.statSync(join(target, 'bin/su')).uid).toBe(process.getuid!());
    expect(fs.readFileSync(join(target, 'own'), 'utf8')).toBe('mine');
    fs.rmSync(join(target, 'own'));
    fs.rmSync(join(source, 'null'));
    for (const dir of [source, target]) fs.utimesSync(dir, 1_000_002, 1_000_002);
    expect(listing(target)).toBe(listing(source));
    expect(listing(target)).toMatchInlineSnapshot(`
      " d 755 5 1000002 
      bin d 755 2 1000002 
      bin/hard f 4755 2 1000000 
      bin/soft l 777 1 1000001 ../bin/su
      bin/su f 4755 2 1000000 
      closed d 500 2 1000002 
      tmp d 1777 2 1000002 "
    `);
  });

  test('one tar, readable by GNU tar, times clamped', async () => {
    const source = rootfs();
    const path = join(tempDir(), 'out.tar');
    await writeRootfsTar([{ directory: source }], { kind: 'file', path }, { clampMtime: 1_000_001 });
    const lines = listTar(path).split('\n');
    expect(lines.filter((line) => !/dangling|pipe|\\377/.test(line)).join('\n')).toMatchInlineSnapshot(`
      "drwxr-xr-x 0/0               0 1970-01-12 13:46:41 bin/
      -rwsr-xr-x 0/0               2 1970-01-12 13:46:40 bin/hard
      lrwxrwxrwx 0/0               0 1970-01-12 13:46:41 bin/soft -> ../bin/su
      hrwsr-xr-x 0/0               0 1970-01-12 13:46:40 bin/su link to bin/hard
      dr-x------ 0/0               0 1970-01-12 13:46:41 closed/
      drwxrwxrwt 0/0               0 1970-01-12 13:46:41 tmp/
      "
    `);
    expect(lines).toHaveLength(fs.readdirSync(source, { recursive: true }).length + 1);
  });
});

describe('import', () => {
  test.each([
    ['none', 'cat', 'application/vnd.oci.image.layer.v1.tar'],
    ['gzip', 'gzip', 'application/vnd.oci.image.layer.v1.tar+gzip'],
    ['xz', 'xz', 'application/vnd.oci.image.layer.v1.tar'],
  ])('%s: one layer with the digest of the tar', async (_, program, mediaType) => {
    const source = rootfs();
    const dir = tempDir();
    execFileSync('sh', [
      '-c',
      'tar -C "$1" -cf "$2" . && $3 < "$2" > "$2.z"',
      'sh',
      source,
      join(dir, 'r.tar'),
      program,
    ]);
    const store = newStore();
    const lease = startLease(store);
    const id = allocateLayer(store, lease);
    const input = { kind: 'file', path: join(dir, 'r.tar.z') } as const;
    const layer = await importRootfs({ input, root: store.root, lease, id });
    const record = registerLayer(store, lease, layer);
    const sum = execFileSync('sha256sum', [join(dir, 'r.tar')], { encoding: 'utf8' }).slice(0, 64);
    expect(record).toMatchObject({ diffId: `sha256:${sum}`, origin: { mediaType } });
    expect(listing(layerDirectory(store.root, id))).toBe(listing(source));
    expect(fs.readdirSync(join(store.root, 'tmp'))).toEqual([]);
    expect([...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))]).toEqual([]);
    // What changes in the directory afterwards is found, by the blob.
    fs.chmodSync(join(layerDirectory(store.root, id), 'bin'), 0o700);
    expect(await checkLayers(store.root, lease, layerChecks(store))).toMatchObject([
      { code: 'LAYER_DAMAGED', message: `layer ${id}: its directory is not what its blob holds` },
    ]);
  });

  test('what is no tar leaves nothing', async () => {
    const dir = tempDir();
    fs.writeFileSync(join(dir, 'x'), 'x'.repeat(5000));
    const store = newStore();
    const lease = startLease(store);
    const id = allocateLayer(store, lease);
    const input = { kind: 'file', path: join(dir, 'x') } as const;
    expect(await outcomeOf(importRootfs({ input, root: store.root, lease, id }))).toMatch(/^invalid TAR_/);
    abandonLayer(store, id);
    for (const folder of ['layers', 'tmp', 'listings'])
      expect(fs.readdirSync(join(store.root, folder))).toEqual([]);
  });
});
