import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { expect } from 'vitest';
import { hashHeavy, prepareHashHeavy } from '../../src/execute/step/hash-heavy.ts';
import { failRing, hashInRing, openHashRing, RING_SLOTS } from '../../src/execute/worker/hash-ring.ts';
import { runHeavy } from '../../src/execute/worker/thread-pool.ts';
import { PIECE_BYTES } from '../../src/layer/archive-hash.ts';
import { decodeHashStates } from '../../src/layer/hash-states.ts';
import { decodeListing } from '../../src/layer/listing.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import { ATTRIBUTES_LATE } from '../../src/layer/read-content.ts';
import { hashStatesPath, listingPath } from '../../src/store/layout.ts';
import { loadSys } from '../../src/sys/linux.ts';
import { tempDir } from '../layer/support.ts';
import { root, testWith } from '../support/need.ts';

const never = () => false;

/** Small files, one of several pieces that ends at the end of one, an empty one, two names of one inode. */
function makeTree(): string {
  const dir = tempDir();
  fs.mkdirSync(join(dir, 'many'));
  for (let file = 0; file < 500; file++)
    fs.writeFileSync(join(dir, 'many', `f${file}`), randomBytes((file * 37) % 5000));
  fs.writeFileSync(join(dir, 'large'), randomBytes(40 << 20));
  fs.writeFileSync(join(dir, 'odd'), randomBytes(3_333_333));
  fs.writeFileSync(join(dir, 'empty'), '');
  fs.linkSync(join(dir, 'odd'), join(dir, 'other'));
  return dir;
}

const needs = [() => (availableParallelism() > 1 ? undefined : 'there is one processor')];

/** A hash of which another thread does the work, until `close`. */
function openHash(keepStates: boolean, aborted = never) {
  const { port1, port2 } = new MessageChannel();
  const ring = openHashRing(keepStates, RING_SLOTS.usual);
  const served = runHeavy('serveRing', { ...ring, port: port2 }, { transfer: [port2] });
  const close = () => {
    port1.close();
    return served;
  };
  return { hash: hashInRing({ ...ring, port: port1 }, aborted), close };
}

testWith({ needs }, 'two threads give the digests that one gives', async () => {
  const dir = makeTree();
  for (const keepStates of [true, false]) {
    const { hash, close } = openHash(keepStates);
    expect(hashLayer(dir, { keepStates, hash })).toEqual(hashLayer(dir, { keepStates }));
    await close();
  }
});

testWith({ needs }, 'two threads go on from a state as one does', async () => {
  const below = makeTree();
  // Where an inode has several names nothing is taken over.
  fs.rmSync(join(below, 'other'));
  const { entries: listingBelow, states: statesBelow } = hashLayer(below, { keepStates: true });
  const dir = tempDir();
  fs.writeFileSync(join(dir, 'z'), 'behind all that is below');
  const options = { below: [below], listingBelow, statesBelow, keepStates: true };
  const { hash, close } = openHash(true);
  expect(hashLayer(dir, { ...options, hash })).toEqual(hashLayer(dir, options));
  await close();
});

testWith({ needs }, 'an archive that is given up leaves the other thread free', async () => {
  const dir = makeTree();
  let looks = 0;
  const aborted = () => ++looks > 5;
  const { hash, close } = openHash(false, aborted);
  expect(() => hashLayer(dir, { hash, aborted })).toThrow('canceled');
  await close();
});

testWith({ needs }, 'a reader whose hashing thread has failed does not wait for it', () => {
  const { port1 } = new MessageChannel();
  const ring = openHashRing(false, RING_SLOTS.usual);
  failRing(ring);
  const hash = hashInRing({ ...ring, port: port1 }, never);
  expect(() => hashLayer(makeTree(), { hash })).toThrow('the thread that hashes a layer has failed');
  port1.close();
});

testWith({ needs }, 'memory that was had ready is for one ring', async () => {
  const store = tempDir();
  fs.mkdirSync(join(store, 'listings'));
  const directory = makeTree();
  const { entries: _entries, states: _states, ...digest } = hashLayer(directory);
  for (const temporary of ['first', 'second', 'third']) {
    prepareHashHeavy();
    expect(
      await hashHeavy({ store, directory, temporary: join(store, temporary), options: {} }),
      temporary,
    ).toEqual(digest);
  }
  prepareHashHeavy();
  prepareHashHeavy();
  const usual = openHashRing(false, RING_SLOTS.usual);
  const [first, second] = [openHashRing(false, RING_SLOTS.many), openHashRing(false, RING_SLOTS.many)];
  expect(new Set([usual.pieces, first.pieces, second.pieces]).size).toBe(3);
  expect([usual, first, second].map(({ pieces }) => pieces.byteLength / PIECE_BYTES)).toEqual([
    RING_SLOTS.usual,
    RING_SLOTS.many,
    RING_SLOTS.many,
  ]);
});

testWith({ needs }, 'layers are digested at the same time, each as if it were alone', async () => {
  const store = tempDir();
  fs.mkdirSync(join(store, 'listings'));
  const directories = [makeTree(), makeTree(), makeTree()];
  const digests = await Promise.all(
    directories.map((directory, at) =>
      hashHeavy({ store, directory, temporary: join(store, `new-${at}`), options: { keepStates: true } }),
    ),
  );
  for (const [at, directory] of directories.entries()) {
    const { entries, states, ...digest } = hashLayer(directory, { keepStates: true });
    expect(digests[at]).toEqual(digest);
    expect(decodeListing(fs.readFileSync(listingPath(store, digest.diffId)))).toEqual(entries);
    expect(decodeHashStates(fs.readFileSync(hashStatesPath(store, digest.diffId)))).toEqual(states);
  }
});

/** Version 2, cap_net_raw. */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');

testWith(
  { needs: [...needs, root()] },
  'attributes of a file that nobody may execute are met late, and are in the layer',
  async () => {
    const store = tempDir();
    fs.mkdirSync(join(store, 'listings'));
    const directory = makeTree();
    const sys = loadSys();
    // What overlayfs says of what it has copied up is no attribute of the layer.
    for (let file = 0; file < 100; file++)
      sys.lsetxattr(join(directory, 'many', `f${file}`), 'trusted.overlay.origin', Buffer.from('x'));
    const options = { lateAttributes: true };
    expect(hashLayer(directory, options)).toEqual(hashLayer(directory));

    sys.lsetxattr(join(directory, 'many', 'f444'), 'security.capability', capability);
    expect(() => hashLayer(directory, options)).toThrow(
      expect.objectContaining({ code: ATTRIBUTES_LATE, message: expect.stringContaining('many/f444') }),
    );
    const { entries, states: _, ...digest } = hashLayer(directory);
    expect(entries.find(({ path }) => path === 'many/f444')!.xattrs).toEqual(
      new Map([['security.capability', capability]]),
    );
    expect(await hashHeavy({ store, directory, temporary: join(store, 'new'), options: {} })).toEqual(digest);
    expect(decodeListing(fs.readFileSync(listingPath(store, digest.diffId)))).toEqual(entries);
  },
);

for (const size of [10, 300_000])
  testWith(
    { needs },
    `a file of ${size} bytes that is gone is named, whichever thread was to read it`,
    async () => {
      const store = tempDir();
      const directory = tempDir();
      fs.mkdirSync(join(directory, 'tree'));
      const gone = { path: 'gone', type: 'file', mode: 0o644, size, sha256: '0'.repeat(64) } as const;
      const written = {
        path: 'tree',
        source: { path: '', name: '', directory: true, files: [gone] },
        operation: {},
        owner: undefined,
        keepOwner: false,
        times: new BigInt64Array(1),
      };
      const task = { store, directory, temporary: join(store, 'new'), options: {}, written };
      const error = { kind: 'changed', code: 'LAYER_CHANGED', message: expect.stringContaining('tree/gone') };
      for (let round = 0; round < 3; round++) await expect(hashHeavy(task)).rejects.toMatchObject(error);
    },
  );
