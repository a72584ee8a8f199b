import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listLayers } from '../../src/store/layers.ts';
import { endLease, startLease } from '../../src/store/leases.ts';
import { STORE_FORMAT } from '../../src/store/schema.ts';
import { openStore } from '../../src/store/store.ts';
import { startScript } from './support.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'slipway-store-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** The code of the error that `body` throws. */
function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
}

describe('openStore', () => {
  test('makes the layout once and opens it again', () => {
    const root = join(base, 'with space and ü', 'store?#%');
    openStore(root, { idMap: 'host' }).close();
    expect(readdirSync(root).sort()).toMatchInlineSnapshot(`
      [
        "active",
        "blobs",
        "cache",
        "format",
        "index.db",
        "layers",
        "listings",
        "locks",
        "overrides",
        "tmp",
      ]
    `);
    expect(readFileSync(join(root, 'format'), 'utf8')).toBe(`{"version":${STORE_FORMAT},"idMap":"host"}\n`);
    using store = openStore(root, { create: false });
    expect(store.database.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(store.database.get('PRAGMA user_version')).toEqual({ user_version: STORE_FORMAT });
    expect(store.idMap).toBe('host');
  });

  test('a missing store is an error where none may be made', () => {
    expect(codeOf(() => openStore(join(base, 'none'), { create: false }))).toBe('STORE_NOT_FOUND');
    expect(readdirSync(base)).toEqual([]);
  });

  test('a newer format and another id map are refused in one line', () => {
    const root = join(base, 's');
    openStore(root, { idMap: 'host' }).close();
    mkdirSync(join(root, 'layers/1'));
    expect(() => openStore(root, { idMap: '0:100000:65536' })).toThrowErrorMatchingInlineSnapshot(
      `[SlipwayError: the store ${root} was made with the id map host and this process has 0:100000:65536: use another --root, or the same user and subordinate ids as before]`.replace(
        root,
        root,
      ),
    );
    writeFileSync(join(root, 'format'), `{"version":${STORE_FORMAT + 1},"idMap":"host"}`);
    expect(codeOf(() => openStore(root))).toBe('STORE_FORMAT_NEWER');
    writeFileSync(join(root, 'format'), '{"version":');
    expect(codeOf(() => openStore(root))).toBe('STORE_DAMAGED');
  });

  describe('a store of the first format', () => {
    /** As the first version made it, with a layer. */
    const first = (): string => {
      const root = join(base, 's');
      using store = openStore(root);
      store.database.execute(`
        DROP TABLE index_names; DROP TABLE index_images; DROP TABLE indexes;
        DROP INDEX layers_base; DROP INDEX steps_parent; ALTER TABLE layers DROP COLUMN base;
        ALTER TABLE layers DROP COLUMN fits; ALTER TABLE layers DROP COLUMN disk_size; DROP TABLE costs;
        CREATE TABLE durations (definition TEXT PRIMARY KEY, ms REAL NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO layers (state, diff_id, tar_size, size, packer, boot_id, created_ms)
          VALUES ('ready', 'sha256:${'a'.repeat(64)}', 1024, 0, 1, '', 0);
        PRAGMA user_version = 1;`);
      writeFileSync(join(root, 'format'), '{"version":1,"idMap":"host"}\n');
      return root;
    };

    test('is taken over with what is in it, by whoever comes first', () => {
      const root = first();
      const format = readFileSync(join(root, 'format'));
      for (let times = 0; times < 2; times++) {
        // As if the process had died before it wrote the new number.
        writeFileSync(join(root, 'format'), format);
        using store = openStore(root);
        expect(store.database.all('SELECT * FROM costs')).toEqual([]);
        expect(listLayers(store).map(({ id, stack }) => ({ id, stack }))).toEqual([
          { id: '1', stack: ['1'] },
        ]);
        expect(store.database.get('PRAGMA user_version')).toEqual({ user_version: STORE_FORMAT });
        expect(readFileSync(join(root, 'format'), 'utf8')).toContain(`"version":${STORE_FORMAT}`);
      }
    });

    test('is left alone while somebody works in it', () => {
      const root = first();
      const format = readFileSync(join(root, 'format'));
      writeFileSync(join(root, 'format'), `{"version":${STORE_FORMAT},"idMap":"host"}`);
      const user = openStore(root);
      const lease = startLease(user);
      writeFileSync(join(root, 'format'), format);
      expect(codeOf(() => openStore(root))).toBe('STORE_IN_USE');
      endLease(user, lease);
      user.close();
      openStore(root).close();
    });
  });

  test('a store whose making was cut short is finished', () => {
    const root = join(base, 's');
    openStore(root).close();
    rmSync(join(root, 'format'));
    openStore(root).close();
    expect(readFileSync(join(root, 'format'), 'utf8')).toContain(`"version":${STORE_FORMAT}`);
  });

  test('several processes that make it at once get one store', async () => {
    const root = join(base, 's');
    const codes = await Promise.all(
      Array.from({ length: 6 }, (_, i) => {
        const child = startScript(new URL('./value-writer.ts', import.meta.url), [root, `${i}`]);
        return new Promise((resolve) => child.once('close', resolve));
      }),
    );
    expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
    using store = openStore(root);
    expect(store.database.get('SELECT count(*) AS count FROM named_values')).toEqual({ count: 300 });
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('an index that is missing or damaged is said so', () => {
    const root = join(base, 's');
    openStore(root).close();
    rmSync(join(root, 'index.db'));
    expect(codeOf(() => openStore(root))).toBe('INDEX_CANNOT_OPEN');
    writeFileSync(
      join(root, 'index.db'),
      'no database at all, but long enough to be read as one'.repeat(100),
    );
    expect(codeOf(() => openStore(root).database.get('SELECT * FROM tags'))).toBe('INDEX_CORRUPT');
  });

  test('a transaction that throws changes nothing', () => {
    using store = openStore(join(base, 's'));
    const { database } = store;
    expect(() =>
      database.transaction(() => {
        database.run("INSERT INTO named_values VALUES ('a', 'b')");
        database.transaction(() => database.run("INSERT INTO named_values VALUES ('c', 'd')"));
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(database.all('SELECT * FROM named_values')).toEqual([]);
  });
});
