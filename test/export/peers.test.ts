import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeDockerArchive } from '../../src/export/docker-archive.ts';
import { writeOciArchive, writeOciDirectory } from '../../src/export/oci-layout.ts';
import { historyRows } from '../../src/image/history.ts';
import { inspectImage } from '../../src/image/inspect.ts';
import type { LayerCompression } from '../../src/image/media-types.ts';
import { checkIndex, layerChecks } from '../../src/store/check-index.ts';
import { checkLayers } from '../../src/store/check-layers.ts';
import { imageById, imageDocuments, imageLayers, tagImage } from '../../src/store/images.ts';
import { layerDirectory, temporaryPath } from '../../src/store/layout.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { removeImage } from '../../src/store/removal.ts';
import { findPeer, type Peer } from '../../tools/peers.ts';
import { newStore, tempDir } from '../store/support.ts';
import { describeWith, peer, root } from '../support/need.ts';
import { archivesOfAllAges } from './archive-ages.ts';
import { load } from './load.ts';
import { exported, helloImage } from './support.ts';

/** Runs a peer; its standard output. */
function run(name: Peer, ...args: string[]): string {
  const found = findPeer(name);
  if ('missing' in found) throw new Error(found.missing);
  const [file, ...words] = found.command;
  return execFileSync(file, [...words, ...args], {
    encoding: 'utf8',
    env: found.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
}

const TAG = 'slipway-test/hello:archives';
const FULL = `docker.io/${TAG}`;
const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox'].find((path) => fs.existsSync(path));

function scene() {
  const store = newStore();
  const lease = startLease(store);
  const id = helloImage(store, lease, [FULL], BUSYBOX);
  const dir = tempDir({ shared: true });
  fs.chmodSync(dir, 0o755);
  return { store, lease, id, dir, path: join(dir, 'a.tar') };
}

/** Loads what a peer wrote into a new store: the image must be the same, and whole. */
async function expectLoaded(path: string, id: string, names: string[]): Promise<void> {
  const store = newStore();
  const lease = startLease(store);
  expect(await load(store, lease, { input: { kind: 'file', path } })).toEqual([{ id, names }]);
  const top = imageLayers(store, id).at(-1)!;
  expect(fs.readFileSync(join(layerDirectory(store.root, top.id), 'etc/motd'), 'utf8')).toBe(
    'hello from slipway\n',
  );
  expect([...checkIndex(store), ...(await checkLayers(store.root, lease, layerChecks(store)))]).toEqual([]);
}

describeWith({ needs: [peer('docker')] }, 'archives given to a Docker engine and back', () => {
  test('docker load, docker run, docker save', async () => {
    const { store, id, dir, path } = scene();
    await writeDockerArchive(exported(store, TAG), { kind: 'file', path });
    fs.chmodSync(path, 0o644);
    try {
      expect(run('docker', 'load', '-i', path)).toBe(`Loaded image: ${TAG}\n`);
      expect(run('docker', 'inspect', '-f', '{{.Id}} {{.RepoTags}}', TAG)).toBe(`${id} [${TAG}]\n`);
      if (BUSYBOX !== undefined) {
        expect(run('docker', 'run', '--rm', '--network=host', TAG)).toBe('hello from slipway\n');
      }
      // What inspect and history say is what the engine says.
      const { parsed } = imageDocuments(store, id)!;
      const record = imageById(store, id)!;
      const ours = inspectImage(parsed, {
        id,
        repoTags: [TAG],
        repoDigests: [],
        size: record.size,
        layerDirectories: ['/top', '/bottom'],
      });
      const [theirs] = JSON.parse(run('docker', 'inspect', TAG)) as [Record<string, unknown>];
      const comparable = (document: Record<string, unknown>) =>
        JSON.stringify({ ...document, GraphDriver: 0, Metadata: 0 }, null, 1);
      expect(comparable(ours)).toBe(comparable(theirs));
      const sizes = imageLayers(store, id).map((layer) => layer.size);
      expect(
        historyRows([id], parsed, sizes)
          .map((row) => `${row.id ?? '<missing>'} ${row.createdBy} ${row.size}\n`)
          .join(''),
      ).toBe(
        run(
          'docker',
          'history',
          '--no-trunc',
          '-H=false',
          '--format',
          '{{.ID}} {{.CreatedBy}} {{.Size}}',
          TAG,
        ),
      );
      const saved = join(dir, 'saved.tar');
      run('docker', 'save', '-o', saved, TAG);
      await expectLoaded(saved, id, [FULL]);
    } finally {
      run('docker', 'rmi', '-f', TAG);
    }
  });

  test.each(archivesOfAllAges().filter(({ layoutAlone }) => layoutAlone !== true))(
    '$writer: the same image as here',
    async ({ bytes, names }) => {
      const { store, lease, path } = scene();
      fs.writeFileSync(path, bytes, { mode: 0o644 });
      const [image] = await load(store, lease, { input: { kind: 'file', path } });
      run('docker', 'load', '-q', '-i', path);
      const parent = imageById(store, image!.id)?.parent ?? '';
      try {
        expect(run('docker', 'inspect', '-f', '{{.Id}} {{.Parent}}', image!.id)).toBe(
          `${image!.id} ${parent}\n`,
        );
      } finally {
        run('docker', 'rmi', '-f', names[0] ?? image!.id);
      }
    },
  );

  test('rmi says the same lines', async () => {
    const { store, lease, id, path } = scene();
    const second = 'slipway-test/second:archives';
    tagImage(store, `docker.io/${second}`, id);
    await writeDockerArchive(exported(store, TAG, second), { kind: 'file', path });
    fs.chmodSync(path, 0o644);
    endLease(store, lease);
    run('docker', 'load', '-q', '-i', path);
    const lines = (text: string) =>
      removeImage(store, text)
        .lines.map((line) =>
          'untagged' in line ? `Untagged: ${line.untagged}\n` : `Deleted: ${line.deleted}\n`,
        )
        .join('');
    for (const text of [id.slice(7, 19), second, second, id.slice(7, 19), id]) {
      let theirs: string;
      try {
        theirs = run('docker', 'rmi', text);
      } catch (error) {
        theirs = (error as { stderr: string }).stderr;
      }
      let ours: string;
      try {
        ours = lines(text);
      } catch (error) {
        ours = `Error response from daemon: ${(error as Error).message}\n`;
      }
      expect(ours).toBe(theirs);
    }
  });
});

describeWith({ needs: [peer('skopeo')] }, 'archives given to skopeo and back', () => {
  test('docker archives', async () => {
    const { store, id, dir, path } = scene();
    await writeDockerArchive(exported(store, TAG), { kind: 'file', path });
    const inspected = JSON.parse(run('skopeo', 'inspect', `docker-archive:${path}`)) as { Layers: string[] };
    const diffIds = exported(store, TAG)[0]!.layers.map((layer) => layer.diffId);
    expect(inspected.Layers).toEqual(diffIds);
    const copy = join(dir, 'copy.tar');
    run('skopeo', 'copy', '-q', `docker-archive:${path}`, `docker-archive:${copy}:${FULL}`);
    await expectLoaded(copy, id, [FULL]);
  });

  test.each<LayerCompression>(['none', 'gzip', 'zstd'])(
    'OCI archives and layouts, %s',
    async (compression) => {
      const { store, lease, id, dir, path } = scene();
      const options = { compression, scratch: temporaryPath(store.root, lease, 'oci') };
      await writeOciArchive(exported(store, TAG), { kind: 'file', path }, options);
      expect(run('skopeo', 'inspect', '--config', '--raw', `oci-archive:${path}`)).toBe(
        exported(store, TAG)[0]!.config,
      );
      const copy = join(dir, 'copy.tar');
      run('skopeo', 'copy', '-q', '--preserve-digests', `oci-archive:${path}`, `oci-archive:${copy}:${FULL}`);
      await expectLoaded(copy, id, [FULL]);
      const layout = join(dir, 'layout');
      await writeOciDirectory(exported(store, TAG), layout, options);
      run('skopeo', 'copy', '-q', `oci:${layout}:archives`, `dir:${join(dir, 'plain')}`);
    },
  );
});

describeWith({ needs: [peer('umoci'), root()] }, 'layouts given to umoci', () => {
  test('umoci stat and unpack', async () => {
    const { store, lease, dir } = scene();
    const layout = join(dir, 'layout');
    const options = { compression: 'gzip', scratch: temporaryPath(store.root, lease, 'oci') } as const;
    await writeOciDirectory(exported(store, TAG), layout, options);
    expect(run('umoci', 'stat', '--image', `${layout}:archives`)).toContain('layer 1');
    run('umoci', 'unpack', '--image', `${layout}:archives`, join(dir, 'bundle'));
    expect(fs.readFileSync(join(dir, 'bundle/rootfs/etc/motd'), 'utf8')).toBe('hello from slipway\n');
  });
});

describeWith({ needs: [peer('podman')] }, 'archives given to podman and back', () => {
  test.each(archivesOfAllAges().filter(({ layoutAlone }) => layoutAlone === true))(
    '$writer: the same image as here',
    async ({ bytes }) => {
      const { store, lease, path } = scene();
      fs.writeFileSync(path, bytes, { mode: 0o644 });
      const [image] = await load(store, lease, { input: { kind: 'file', path } });
      run('podman', 'load', '-q', '-i', path);
      try {
        expect(run('podman', 'inspect', '-f', '{{.Id}}', image!.id.slice(7))).toBe(`${image!.id.slice(7)}\n`);
      } finally {
        run('podman', 'rmi', '-f', image!.id.slice(7));
      }
    },
  );

  test('podman load, podman save in both formats', async () => {
    const { store, id, dir, path } = scene();
    await writeDockerArchive(exported(store, TAG), { kind: 'file', path });
    fs.chmodSync(path, 0o644);
    try {
      expect(run('podman', 'load', '-i', path)).toBe(`Loaded image: ${FULL}\n`);
      expect(run('podman', 'inspect', '-f', '{{.Id}}', TAG).trim()).toBe(id.slice(7));
      for (const format of ['docker-archive', 'oci-archive']) {
        const saved = join(dir, `${format}.tar`);
        run('podman', 'save', '--format', format, '-o', saved, FULL);
        await expectLoaded(saved, id, [FULL]);
      }
    } finally {
      run('podman', 'rmi', '-f', TAG);
    }
  });
});
