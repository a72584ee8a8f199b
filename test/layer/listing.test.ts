import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeListing, encodeListing, LISTING_START, listingLength } from '../../src/layer/listing.ts';
import type { EntryType, LayerEntry } from '../../src/layer/types.ts';
import { failure } from './support.ts';

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((value) => Buffer.from(value).toString('latin1'));

const entry: fc.Arbitrary<LayerEntry> = fc
  .record(
    {
      path: bytes(60),
      type: fc.constantFrom<EntryType>('file', 'directory', 'symlink', 'char', 'block', 'fifo', 'whiteout'),
      mode: fc.nat(0o7777),
      uid: fc.nat(0xffffffff),
      gid: fc.constantFrom(0, 1000, 0xffffffff),
      size: fc.maxSafeNat(),
      mtimeNs: fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
      link: bytes(200),
      hardLink: bytes(40),
      sha256: fc
        .uint8Array({ minLength: 32, maxLength: 32 })
        .map((value) => Buffer.from(value).toString('hex')),
      xattrs: fc
        .array(fc.tuple(bytes(20), fc.uint8Array({ maxLength: 100 })), { minLength: 1, maxLength: 3 })
        .map((list) => new Map(list.map(([name, value]) => [name, Buffer.from(value)]))),
      opaque: fc.constant(true),
    },
    { requiredKeys: ['path', 'type', 'mode', 'uid', 'gid', 'size', 'mtimeNs'] },
  )
  .chain((made) =>
    fc.option(fc.tuple(fc.nat(4095), fc.nat(1048575))).map((device) => {
      return device === null ? made : { ...made, major: device[0], minor: device[1] };
    }),
  );

test('a listing survives, and the same entries give the same bytes', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      const encoded = encodeListing(entries);
      const decoded = decodeListing(encoded);
      expect(decoded).toEqual(entries);
      expect(encodeListing(decoded).equals(encoded)).toBe(true);
      expect(listingLength(encoded.subarray(0, LISTING_START))).toBe(entries.length);
    }),
    { numRuns: 300 },
  );
});

test('damage is found, and never makes a huge array', async () => {
  const encoded = encodeListing(fc.sample(entry, { numRuns: 5, seed: 1 }));
  for (let end = 0; end < encoded.length; end++) {
    expect(await failure(() => decodeListing(encoded.subarray(0, end)))).toBe(
      'corrupt LISTING_CORRUPT: a layer listing is damaged',
    );
  }
  expect(await failure(() => decodeListing(Buffer.concat([encoded, Buffer.from('x')])))).toContain(
    'LISTING_CORRUPT',
  );
  const huge = Buffer.from([...Buffer.from('SLWL'), 1, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  expect(await failure(() => decodeListing(huge))).toContain('LISTING_CORRUPT');
  const other = Buffer.from(encoded);
  other[4] = 2;
  expect(await failure(() => decodeListing(other))).toBe(
    'unsupported LISTING_VERSION: a layer listing has version 2, not 1',
  );
});

test('the encoding is fixed', () => {
  const encoded = encodeListing([
    { path: 'etc', type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: -1n },
    {
      path: 'etc/host',
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 300,
      size: 300,
      mtimeNs: 1_000_000_000n,
      sha256: 'ab'.repeat(32),
    },
    { path: 'etc/hosts', type: 'symlink', mode: 0o777, uid: 0, gid: 300, size: 0, mtimeNs: 0n, link: 'host' },
  ]);
  expect(encoded.toString('hex')).toMatchInlineSnapshot(
    `"534c574c0103010003657463ed0300000001ff93ebdc034003052f686f7374a40300ac02ac020200abababababababababababababababababababababababababababababababab12080173ff0300ac0200000004686f7374"`,
  );
});
