import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

interface Line {
  Type: string;
  TotalCount: string;
  Active: string;
  Size: string;
  Reclaimable: string;
}

/** `3.15MB`, in bytes. */
function bytesOf(text: string): number {
  const [, value, unit] = /^([\d.]+)(B|kB|MB|GB)/.exec(text)!;
  return Number(value) * { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit as 'B']!;
}

describe('system df and prune', () => {
  const store = suiteStore();

  const onDisk = (): number => {
    const folders = ['layers', 'listings', 'overrides', 'blobs', 'cache'].map((name) =>
      join(store.root, name),
    );
    const text = execFileSync('sh', ['-c', 'du -sck "$@" 2>/dev/null | tail -1', 'sh', ...folders], {
      encoding: 'utf8',
    });
    return 1024 * Number(text.split('\t')[0]);
  };

  async function lines(): Promise<Record<string, Line>> {
    const text = await store.ok(['system', 'df', '--format', 'json']);
    const rows = text.trim().split('\n');
    return Object.fromEntries(rows.map((row) => JSON.parse(row) as Line).map((line) => [line.Type, line]));
  }

  /** What went from the disk, in bytes, while a command ran; its last line names it. */
  async function freed(args: string[]): Promise<{ measured: number; said: number; text: string }> {
    const before = onDisk();
    const text = await store.ok(args);
    const said = bytesOf(/(?:space|Total):\s+(\S+)\n$/.exec(text)![1]!);
    return { measured: before - onDisk(), said, text };
  }

  /** As far as three digits tell, and but for the folders themselves. */
  const about = (bytes: number): unknown =>
    expect.toSatisfy((other: number) => Math.abs(other - bytes) <= bytes / 500 + 20_000);

  beforeAll(async () => {
    const dockerfile = `FROM ${BASE_IMAGE}
RUN head -c 3000000 /dev/zero > /shared
RUN --mount=type=cache,target=/c head -c 5000000 /dev/zero > /c/f; head -c 2000000 /dev/zero > /own
`;
    const one = store.context('one', { Dockerfile: dockerfile });
    const two = store.context('two', { Dockerfile: dockerfile.replace('2000000', '1000000') });
    for (const [tag, context] of [
      ['one', one],
      ['two', two],
    ])
      await store.ok(['build', '-q', '-t', `test/${tag}`, context!]);
  });

  it('counts what is shared once, and says what both together keep', async () => {
    const text = await store.ok(['system', 'df']);
    const rows = text.split('\n').map((line) => line.replace(/ {2,}/g, '|'));
    expect(rows[0]).toBe('TYPE|TOTAL|ACTIVE|SIZE|RECLAIMABLE');
    expect(rows[2]).toBe('Containers|0|0|0B|0B');
    expect(text).toMatch(/\n\n6\.\d+MB of the images' size is build cache too, and goes when both go/);
    const { Images: images, 'Build Cache': cache } = await lines();
    expect(images).toMatchObject({ TotalCount: '3', Active: '0' });
    // Only the base is the images' alone.
    expect(bytesOf(images!.Size) - bytesOf(images!.Reclaimable)).toEqual(about(6_000_000));
    expect(cache).toMatchObject({ TotalCount: '4' });
    expect(bytesOf(cache!.Size)).toEqual(about(5_000_000));
    expect(cache!.Reclaimable).toBe(cache!.Size);
    expect(await store.ok(['system', 'df', '--format', 'table {{.Type}}\t{{.Size}}'])).not.toContain('goes');
  });

  it('-v: sections with what is shared and what an image has alone', async () => {
    const text = await store.ok(['system', 'df', '-v']);
    const tables = text.split(/^(?=\S.*(?:usage:.*|usage: \S+)$)/m);
    expect(tables.map((table) => table.split('\n')[0]!.replace(/ [\d.]+MB$/, ''))).toEqual([
      'Images space usage:',
      'Containers space usage:',
      'Local Volumes space usage:',
      'Build cache usage:',
    ]);
    expect(tables[0]).toMatch(
      /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +SHARED SIZE +UNIQUE SIZE +CONTAINERS$/m,
    );
    expect(tables[0]).toMatch(/^test\/one .* 0B +0$/m);
    expect(tables[3]).toMatch(/^\S{12} +exec\.cachemount +5\.\d+MB .* false$/m);
    const format = (template: string) => store.ok(['system', 'df', '-v', '--format', template]);
    const document = JSON.parse(await format('json'));
    expect(Object.keys(document)).toEqual(['Images', 'Containers', 'Volumes', 'BuildCache']);
    expect(document.Images).toContainEqual(
      expect.objectContaining({ Repository: 'test/one', Tag: 'latest', UniqueSize: '0B', Containers: '0' }),
    );
    expect(await format('{{range .BuildCache}}{{.CacheType}} {{end}}{{len .Images}}')).toMatch(
      /^(?:regular |exec\.cachemount ){4}3$/,
    );
    const wrong = await store.run(['system', 'df', '-v', '--format', '{{.Nope}}']);
    expect(wrong.stderr).toContain("can't evaluate field Nope in type *formatter.diskUsageContext");
  });

  it('what it says can be had back comes back', async () => {
    const { 'Build Cache': cache } = await lines();
    const first = await freed(['builder', 'prune', '-f']);
    expect([first.measured, first.said]).toEqual([about(bytesOf(cache!.Reclaimable)), about(first.measured)]);
    // The records of the images' own layers are what `builder prune` leaves.
    await store.ok(['builder', 'prune', '-af']);
    const { Images: images } = await lines();
    expect(images!.Reclaimable).toBe(`${images!.Size} (100%)`);
    expect(await store.ok(['system', 'df', '-v'])).toMatch(/^test\/one .* 2\.\d+MB +0$/m);
    const second = await freed(['image', 'prune', '-af']);
    expect([second.measured, second.said]).toEqual([about(bytesOf(images!.Size)), about(second.measured)]);
    expect(await store.ok(['images', '-aq'])).toBe('');
  });

  it('rmi frees what df says an image has alone, cache prune what its mounts take', async () => {
    await store.ok(['import', '-', BASE_IMAGE], { input: (await makeBaseRootfs()).tar });
    const shared = 'RUN head -c 3000000 /dev/zero > /shared';
    const own =
      'RUN --mount=type=cache,target=/c head -c 4000000 /dev/zero > /c/g; head -c 2000000 /dev/zero > /own';
    for (const [tag, runs] of Object.entries({ left: [shared], right: [shared, own] })) {
      const context = store.context(tag, {
        Dockerfile: `FROM ${BASE_IMAGE}\n${runs.join('\n')}\n`,
      });
      await store.ok(['build', '-q', '-t', `test/${tag}`, context]);
    }
    const mounts = await freed(['cache', 'prune']);
    expect([mounts.measured, mounts.said]).toEqual([about(4_000_000), about(mounts.measured)]);
    await store.ok(['builder', 'prune', '-af']);
    const before = onDisk();
    const unique = /^test\/right .* (\S+) +0$/m.exec(await store.ok(['system', 'df', '-v']))![1]!;
    expect(bytesOf(unique)).toEqual(about(2_000_000));
    await store.ok(['rmi', 'test/right']);
    expect(before - onDisk()).toEqual(about(bytesOf(unique)));
    const { Images: images } = await lines();
    const rest = await freed(['image', 'prune', '-af']);
    expect([rest.measured, rest.said]).toEqual([about(bytesOf(images!.Reclaimable)), about(rest.measured)]);
  });

  it('system prune asks, takes images and cache, and says how much that was', async () => {
    const context = store.context('alone', {
      Dockerfile: 'FROM scratch\nCOPY big /\nLABEL keep=no\n',
      big: Buffer.alloc(3_000_000, 1),
    });
    await store.ok(['build', '-q', '-t', 'test/alone', context]);
    expect(await store.ok(['system', 'prune', '-a', '--filter', 'until=1h'], { input: 'n\n' })).toBe(
      `WARNING! This will remove:
  - all images without at least one container associated to them
  - all build cache

  Items to be pruned will be filtered with:
  - until=1h

Are you sure you want to continue? [y/N] `,
    );
    expect(await store.ok(['system', 'prune', '-af', '--filter=until=1h'])).toBe(
      'Total reclaimed space: 0B\n',
    );
    const contradiction = await store.run(['image', 'prune', '-f', '--filter', 'dangling=false']);
    expect(contradiction).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("'dangling=[false true]'"),
    });
    expect(await store.ok(['system', 'prune', '-f'])).toBe('Total reclaimed space: 0B\n');
    const all = await freed(['system', 'prune'].concat('-af'));
    expect(all.text).toMatch(
      /^Deleted Images:\nuntagged: test\/alone:latest\ndeleted: sha256:\S+\n\nDeleted build cache objects:\n\S{25}\n\nTotal reclaimed space: 3\.\d+MB\n$/,
    );
    expect([all.measured, all.said]).toEqual([about(3_000_000), about(all.measured)]);
    expect((await store.run(['system', 'check'])).exitCode).toBe(0);
    const wrong = await store.run(['system', 'prune', '--volumes', '--filter', 'until=1h']);
    expect(wrong.stderr).toContain('The "until" filter is not supported with "--volumes"');
  });
});
