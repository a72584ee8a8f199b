import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { writeDockerArchive } from '../../src/export/docker-archive.ts';
import { writeOciArchive, writeOciDirectory } from '../../src/export/oci-layout.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { imageDocuments, listImages, tagImage } from '../../src/store/images.ts';
import { layerDirectory, temporaryPath } from '../../src/store/layout.ts';
import { startLease } from '../../src/store/leases.ts';
import type { Store } from '../../src/store/store.ts';
import { makeImage, makeLayer, newStore, outcomeOf, tempDir } from '../store/support.ts';
import { describeWith, root } from '../support/need.ts';
import { load } from './load.ts';
import { exported, helloImage, listTar, tree } from './support.ts';

function scene() {
  const store = newStore();
  const lease = startLease(store);
  const id = helloImage(store, lease, ['docker.io/library/hello:1', 'localhost:5000/h/hello:2']);
  return { store, lease, id, dir: tempDir() };
}

const sha256 = (path: string) => createHash('sha256').update(fs.readFileSync(path)).digest('hex');

async function problems(store: Store, lease: string): Promise<unknown[]> {
  return [...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))];
}

describeWith({ needs: [root()] }, 'docker archives', () => {
  test('are an OCI layout with manifest.json, the same bytes each time', async () => {
    const { store, dir, id } = scene();
    const path = join(dir, 'a.tar');
    const images = exported(store, 'hello:1', 'localhost:5000/h/hello:2');
    const { size } = await writeDockerArchive(images, { kind: 'file', path });
    expect(fs.statSync(path)).toMatchObject({ size });
    expect(fs.statSync(path).mode & 0o7777).toBe(0o600);
    const again = join(dir, 'b.tar');
    await writeDockerArchive(images, { kind: 'file', path: again });
    expect(sha256(again)).toBe(sha256(path));
    expect(fs.readdirSync(dir).sort()).toEqual(['a.tar', 'b.tar']);
    expect(listTar(path)).toMatchInlineSnapshot(`
      "drwxr-xr-x 0/0               0 1970-01-01 00:00:00 blobs/
      drwxr-xr-x 0/0               0 1970-01-01 00:00:00 blobs/sha256/
      -rw-r--r-- 0/0            3584 1970-01-01 00:00:00 blobs/sha256/27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2
      -rw-r--r-- 0/0             475 1970-01-01 00:00:00 blobs/sha256/328956c14ff3a016e76b36c2db3ac1ed39d02d1605e2823f8e3a21c96e383931
      -rw-r--r-- 0/0             550 1970-01-01 00:00:00 blobs/sha256/3a400706c72954a2cc7aa716b75949c543efe576599463e1a369f3a74bee2251
      -rw-r--r-- 0/0         3209728 1970-01-01 00:00:00 blobs/sha256/ab44ebb4822e63464b0d2e4473fab92f46aac7348890cac4a56898f5ea16a0ba
      -rw-r--r-- 0/0             614 1970-01-01 00:00:00 index.json
      -rw-r--r-- 0/0             782 1970-01-01 00:00:00 manifest.json
      -rw-r--r-- 0/0              30 1970-01-01 00:00:00 oci-layout
      -rw-r--r-- 0/0             181 1970-01-01 00:00:00 repositories
      "
    `);
    const cat = (name: string) => execFileSync('tar', ['-xOf', path, name], { encoding: 'utf8' });
    expect(
      [cat('manifest.json'), cat('repositories'), cat('index.json'), cat('oci-layout')].join('\n'),
    ).toMatchInlineSnapshot(`
      "[{"Config":"blobs/sha256/328956c14ff3a016e76b36c2db3ac1ed39d02d1605e2823f8e3a21c96e383931","RepoTags":["hello:1","localhost:5000/h/hello:2"],"Layers":["blobs/sha256/ab44ebb4822e63464b0d2e4473fab92f46aac7348890cac4a56898f5ea16a0ba","blobs/sha256/27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2"],"LayerSources":{"sha256:27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2":{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2","size":3584},"sha256:ab44ebb4822e63464b0d2e4473fab92f46aac7348890cac4a56898f5ea16a0ba":{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:ab44ebb4822e63464b0d2e4473fab92f46aac7348890cac4a56898f5ea16a0ba","size":3209728}}}]

      {"hello":{"1":"27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2"},"localhost:5000/h/hello":{"2":"27eccb1a1f42307ddff3996ed2fd3295ee5bfed878036e81bb7600afbdf01db2"}}

      {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:3a400706c72954a2cc7aa716b75949c543efe576599463e1a369f3a74bee2251","size":550,"annotations":{"io.containerd.image.name":"docker.io/library/hello:1","org.opencontainers.image.ref.name":"1"}},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:3a400706c72954a2cc7aa716b75949c543efe576599463e1a369f3a74bee2251","size":550,"annotations":{"io.containerd.image.name":"localhost:5000/h/hello:2","org.opencontainers.image.ref.name":"2"}}]}
      {"imageLayoutVersion":"1.0.0"}"
    `);
    expect(cat(`blobs/sha256/${id.slice(7)}`)).toBe(imageDocuments(store, id)!.config.toString());
  });

  test('an image without names or layers', async () => {
    const store = newStore();
    const id = makeImage(store, []);
    const path = join(tempDir(), 'a.tar');
    await writeDockerArchive(exported(store, id), { kind: 'file', path });
    const cat = (name: string) => execFileSync('tar', ['-xOf', path, name], { encoding: 'utf8' });
    expect(cat('manifest.json')).toBe(
      `[{"Config":"blobs/sha256/${id.slice(7)}","RepoTags":null,"Layers":[],"LayerSources":{}}]\n`,
    );
    expect(listTar(path)).not.toContain('repositories');
    const other = newStore();
    expect(await load(other, startLease(other), { input: { kind: 'file', path } })).toEqual([
      { id, names: [] },
    ]);
  });

  test('what is loaded is what was saved, and leaves with the same bytes', async () => {
    const { store, id, dir } = scene();
    const path = join(dir, 'a.tar');
    const names = ['hello:1', 'localhost:5000/h/hello:2'];
    await writeDockerArchive(exported(store, ...names), { kind: 'file', path });
    const other = newStore();
    const lease = startLease(other);
    expect(await load(other, lease, { input: { kind: 'file', path } })).toEqual([
      { id, names: ['docker.io/library/hello:1', 'localhost:5000/h/hello:2'] },
    ]);
    expect(tree(layerDirectory(other.root, '1'))).toEqual(tree(layerDirectory(store.root, '1')));
    expect(await problems(other, lease)).toEqual([]);
    const back = join(dir, 'b.tar');
    await writeDockerArchive(exported(other, ...names), { kind: 'file', path: back });
    expect(sha256(back)).toBe(sha256(path));
    // A second time everything is there already.
    await load(other, lease, { input: { kind: 'file', path } });
    expect(fs.readdirSync(join(other.root, 'layers')).sort()).toEqual(['1', '2']);
    expect(fs.readdirSync(join(other.root, 'tmp'))).toEqual([]);
  });

  test('goes through a pipe both ways', async () => {
    const { store, dir, id } = scene();
    const fd = fs.openSync(join(dir, 'z.tar.gz'), 'w');
    const gzip = spawn('gzip', ['-1'], { stdio: ['pipe', fd, 'inherit'] });
    const pipe = (gzip.stdin as unknown as { _handle: { fd: number } })._handle.fd;
    await writeDockerArchive(exported(store, 'hello:1'), { kind: 'fd', fd: pipe });
    gzip.stdin!.end();
    await new Promise((resolve) => gzip.once('close', resolve));
    const other = newStore();
    const script = fileURLToPath(new URL('./load-stdin.ts', import.meta.url));
    const commands = [
      'zcat "$1" | "$2" "$3" "$4"',
      '"$2" "$3" "$4" < "$1"',
      'zcat "$1" > "$1.x"; "$2" "$3" "$4" < "$1.x"',
    ];
    for (const command of commands) {
      const args = ['-c', command, 'sh', join(dir, 'z.tar.gz'), process.execPath, script, other.root];
      expect(JSON.parse(execFileSync('sh', args, { encoding: 'utf8' }))).toEqual([
        { id, names: ['docker.io/library/hello:1'] },
      ]);
    }
    expect(fs.readdirSync(join(other.root, 'tmp'))).toEqual([]);
  });

  test('a layer that does not give its digest is an error, and no file stays', async () => {
    const { store, dir } = scene();
    const path = join(dir, 'a.tar');
    fs.writeFileSync(path, 'before');
    const target = join(layerDirectory(store.root, '1'), 'data/a');
    const { mtime } = fs.statSync(target);
    fs.writeFileSync(target, 'b'.repeat(3000));
    fs.utimesSync(target, mtime, mtime);
    expect(await outcomeOf(writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path }))).toMatch(
      /^corrupt LAYER_CORRUPT: layer sha256:.* of the store is damaged/,
    );
    fs.writeFileSync(target, 'c'.repeat(3_000_000));
    expect(await outcomeOf(writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path }))).toMatch(
      /LAYER_CORRUPT/,
    );
    expect(fs.readFileSync(path, 'utf8')).toBe('before');
    expect(fs.readdirSync(dir)).toEqual(['a.tar']);
  });

  test('outputs that cannot be', async () => {
    const { store, dir } = scene();
    const to = async (path: string) =>
      String(
        await outcomeOf(writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path })),
      ).replaceAll(dir, 'DIR');
    expect(
      [await to(join(dir, 'no/such')), await to(dir), await to('/dev/full')].join('\n'),
    ).toMatchInlineSnapshot(`
      "invalid OUTPUT_INVALID: invalid output path "DIR/no/such": directory "DIR/no" does not exist
      invalid OUTPUT_INVALID: invalid output path "DIR": it is a directory
      exhausted DISK_FULL: no space left on the disk for the output"
    `);
    await writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path: '/dev/null' });
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
    fs.writeFileSync(join(dir, 'real'), '');
    fs.symlinkSync('real', join(dir, 'link'));
    await writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path: join(dir, 'link') });
    expect(fs.readlinkSync(join(dir, 'link'))).toBe('real');
    expect(fs.statSync(join(dir, 'real')).size).toBeGreaterThan(10_000);
  });

  test('a cancel ends it', async () => {
    const { store, dir } = scene();
    const images = exported(store, 'hello:1');
    const path = join(dir, 'a.tar');
    expect(
      await outcomeOf(writeDockerArchive(images, { kind: 'file', path }, { aborted: () => true })),
    ).toMatch(/^canceled/);
    expect(fs.readdirSync(dir)).toEqual([]);
  });
});

describe('OCI layouts', () => {
  test.each(['none', 'gzip', 'zstd'] as const)(
    '%s: as tar and as directory, loaded again',
    async (compression) => {
      const { store, lease, dir, id } = scene();
      const options = { compression, scratch: temporaryPath(store.root, lease, 'oci') };
      const path = join(dir, 'a.tar');
      const { manifests } = await writeOciArchive(
        exported(store, 'hello:1'),
        { kind: 'file', path },
        options,
      );
      const layout = join(dir, 'layout');
      expect((await writeOciDirectory(exported(store, 'hello:1'), layout, options)).manifests).toEqual(
        manifests,
      );
      expect(fs.readdirSync(join(store.root, 'tmp'))).toEqual([]);
      const blobs = fs.readdirSync(join(layout, 'blobs/sha256'));
      expect(blobs).toHaveLength(4);
      for (const hex of blobs) expect(sha256(join(layout, 'blobs/sha256', hex))).toBe(hex);
      for (const source of [path, layout]) {
        const other = newStore();
        const otherLease = startLease(other);
        const input = { kind: 'file', path: source } as const;
        expect(await load(other, otherLease, { input })).toEqual([
          { id, names: ['docker.io/library/hello:1'] },
        ]);
        expect(await problems(other, otherLease)).toEqual([]);
        // The manifest and the blobs leave as they came.
        const back = join(dir, 'back.tar');
        const scratch = temporaryPath(other.root, otherLease, 'oci');
        await writeOciArchive(
          exported(other, 'hello:1'),
          { kind: 'file', path: back },
          { compression, scratch },
        );
        expect(sha256(back)).toBe(sha256(path));
        await writeDockerArchive(exported(other, 'hello:1'), { kind: 'file', path: back });
        const plain = join(dir, 'plain.tar');
        await writeDockerArchive(exported(store, 'hello:1'), { kind: 'file', path: plain });
        expect(sha256(back)).toBe(sha256(plain));
      }
    },
  );

  test('a directory keeps its other images and replaces those of the same name', async () => {
    const { store, lease, dir, id } = scene();
    const layout = join(dir, 'layout');
    const options = { compression: 'none', scratch: temporaryPath(store.root, lease, 'oci') } as const;
    await writeOciDirectory(exported(store, 'hello:1'), layout, options);
    await writeOciDirectory(exported(store, 'localhost:5000/h/hello:2'), layout, options);
    const second = makeImage(store, [makeLayer(store, lease, { z: 'z' })], {
      tags: ['docker.io/library/hello:1'],
    });
    tagImage(store, 'docker.io/library/old:1', id);
    await writeOciDirectory(exported(store, 'hello:1'), layout, options);
    const other = newStore();
    const loaded = await load(other, startLease(other), { input: { kind: 'file', path: layout } });
    expect(loaded).toEqual([
      { id, names: ['localhost:5000/h/hello:2'] },
      { id: second, names: ['docker.io/library/hello:1'] },
    ]);
    expect(listImages(other)).toHaveLength(2);
    fs.writeFileSync(join(layout, 'index.json'), '{"schemaVersion":1}');
    expect(await outcomeOf(writeOciDirectory(exported(store, 'hello:1'), layout, options))).toMatch(
      /DOCUMENT_INVALID/,
    );
  });
});
