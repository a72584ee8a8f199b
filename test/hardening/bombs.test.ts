import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodePax } from '../../src/layer/tar-pax.ts';
import { encodeTarHeader } from '../../src/layer/tar-write.ts';
import { describeWith, root } from '../support/need.ts';
import { startSlipway } from '../support/slipway.ts';
import { dockerArchive, FROM, hardeningStore, makeTar, remains } from './support.ts';

const GIB = 2 ** 30;
const header = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n } as const;

describeWith({ needs: [root()] }, 'bombs', () => {
  const store = hardeningStore();

  /** A file of this size that takes no room. */
  const sparse = (path: string, size: number): void => {
    const fd = openSync(path, 'w');
    ftruncateSync(fd, size);
    closeSync(fd);
  };
  const huge = encodeTarHeader({ ...header, path: 'huge', type: 'file', size: 300 * GIB });
  /** Entries of one directory, over and over, compressed to a few megabytes. */
  const many = async (count: number): Promise<Buffer> => {
    const piece = Buffer.concat(
      Array.from({ length: 1000 }, () =>
        encodeTarHeader({ ...header, path: 'd/', type: 'directory', size: 0 }),
      ),
    );
    const gzip = createGzip({ level: 1 });
    const chunks: Buffer[] = [];
    gzip.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (let i = 0; i < count / 1000; i++) {
      if (!gzip.write(piece)) await new Promise((resolve) => gzip.once('drain', resolve));
    }
    await new Promise<void>((resolve) => gzip.end(() => resolve()));
    return Buffer.concat(chunks);
  };

  it.each<[string, Buffer, string]>([
    ['of 300 GiB', Buffer.concat([huge, Buffer.alloc(8192)]), 'more than 274877906944 bytes'],
    [
      'of 300 GiB, compressed',
      gzipSync(Buffer.concat([huge, Buffer.alloc(1 << 24)])),
      'more than 274877906944 bytes',
    ],
    [
      'with a path of 5,000 bytes',
      Buffer.concat([makeTar([{ path: 'a' }]).subarray(0, 512), makeTar([{ path: 'p/'.repeat(2500) }])]),
      'longer than 4096 bytes',
    ],
    [
      'with a PAX header of 2 MiB',
      Buffer.concat([makeTar([{ path: 'a' }]).subarray(0, 512), pax(2 << 20), makeTar([{ path: 'b' }])]),
      'larger than 1048576 bytes',
    ],
  ])('an archive %s is refused by ADD and load, the limit named', async (_, archive, message) => {
    const added = await store.build(`${FROM}ADD a.tar /\n`, { files: { 'a.tar': archive } });
    expect(added.exitCode).toBe(1);
    expect(added.stderr).toContain(message);
    const plain = archive[0] === 0x1f ? undefined : dockerArchive({ tag: 'test/bomb', layers: [archive] });
    if (plain) {
      const loaded = await store.run(['load'], { input: plain });
      expect(loaded.exitCode).toBe(1);
      expect(loaded.stderr).toContain(message);
    }
    expect(remains(store.root)).toEqual([]);
  });

  it('an archive of ten million entries is refused by ADD, the limit named', {
    timeout: 300_000,
  }, async () => {
    const files = { 'a.tar.gz': await many(10_000_000) };
    expect(files['a.tar.gz'].length).toBeLessThan(64 << 20);
    const { exitCode, stderr } = await store.build(`${FROM}ADD a.tar.gz /\n`, { files });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('more than 2000000 entries');
    expect(remains(store.root)).toEqual([]);
  });

  it('a Dockerfile of 17 MB and an ignore file of 17 MB are refused, the limit named', async () => {
    for (const name of ['Dockerfile', '.dockerignore']) {
      const context = store.context(`large-${name}`, { Dockerfile: FROM });
      writeFileSync(join(context, name), `# ${'x'.repeat(17_000_000)}\n`);
      const result = await store.run(['build', context]);
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toMatch(/larger than (16777216|4194304) bytes/);
    }
  });

  it('a Dockerfile that would fill the memory by expansion is refused, the limit named', async () => {
    const lines = Array.from({ length: 64 }, (_, i) => `ENV A${i + 1}=$A${i}$A${i}`).join('\n');
    const { exitCode, stderr } = await store.build(`${FROM}ENV A0=${'x'.repeat(1024)}\n${lines}\nRUN true\n`);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/longer than 4194304 characters/);
  });

  it('directories so deep that no path reaches the end are an error with its reason', async () => {
    const command =
      'i=0; while [ $i -lt 60 ]; do n=$(printf "%0250d" $i); mkdir $n && cd -P $n || exit 0; i=$((i+1)); done 2>/dev/null';
    const { stderr } = await store.build(`${FROM}RUN ${command}; true\n`);
    expect(stderr).toContain('a path in a layer is longer than the kernel lets it be opened');
    expect(remains(store.root)).toEqual([]);
    const check = await store.run(['system', 'check']);
    expect(check.exitCode).toBe(0);
  });

  describe('a log', () => {
    it('line of 1 GB passes through bounded memory, its failure shows its end', {
      timeout: 300_000,
    }, async () => {
      const context = store.context('log', {
        Dockerfile: `${FROM}RUN head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 3\n`,
      });
      const child = startSlipway(['build', '--no-cache', '--progress=plain', context], {
        root: store.root,
      });
      let bytes = 0;
      let tail = '';
      let peak = 0;
      const watch = setInterval(() => {
        peak = Math.max(peak, memoryOf(child.pid!));
      }, 100);
      child.stderr?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        tail = (tail + chunk.toString('latin1')).slice(-2000);
      });
      const exitCode = await new Promise((resolve) => child.once('close', resolve));
      clearInterval(watch);
      expect(exitCode).toBe(1);
      expect(tail).toContain('exit code: 3');
      expect(bytes).toBeLessThan(1_200_000_000);
      // A line three times as long takes as much: it is what lies around until it is collected.
      expect(peak).toBeGreaterThan(0);
      expect(peak).toBeLessThan(700 * 1024);
    });
  });

  it('a secret, a passwd file and an image document beyond their limits are refused', async () => {
    const context = store.context('limits', { Dockerfile: `${FROM}RUN --mount=type=secret,id=s true\n` });
    sparse(join(context, 'secret'), 1 << 20);
    const secret = await store.run(['build', '--secret', `id=s,src=${join(context, 'secret')}`, context]);
    expect(secret.exitCode).toBe(1);
    expect(secret.stderr).toMatch(/500|512000/);
    const account = await store.build(
      `${FROM}RUN dd if=/dev/zero of=/etc/passwd bs=1048576 count=11 2>/dev/null\nRUN true\n`,
    );
    expect(account.stderr).toContain('at most 10 MiB');
    const document = dockerArchive({
      tag: 'test/x',
      layers: [makeTar([])],
      config: { Labels: { a: 'x'.repeat(20 << 20) } },
    });
    const loaded = await store.run(['load'], { input: document });
    expect(loaded.exitCode).toBe(1);
    expect(loaded.stderr).toMatch(/\d+ bytes/);
  });
});

/** A PAX header with one record of this many bytes. */
function pax(size: number): Buffer {
  const body = Buffer.from(encodePax('comment', 'x'.repeat(size)));
  const head = encodeTarHeader({ ...header, path: 'pax', type: 'file', size: body.length });
  head[156] = 'x'.charCodeAt(0);
  head.fill(' ', 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([head, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** Greatest resident memory so far of a process, in KiB; 0 when it is gone. */
function memoryOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
