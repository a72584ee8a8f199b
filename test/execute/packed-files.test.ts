import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExecutableStep, SelectedFile } from '../../src/execute/executor.ts';
import {
  attachPayload,
  filesOf,
  packFiles,
  packStep,
  unpackSources,
} from '../../src/execute/protocol/packed-files.ts';

const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const number = fc.nat({ max: 2 ** 31 - 1 });
const file: fc.Arbitrary<SelectedFile> = fc.record(
  {
    path: bytes,
    type: fc.constantFrom('file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'),
    mode: fc.nat({ max: 0o7777 }),
    size: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    newMode: fc.nat({ max: 0o7777 }),
    mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }).map(String),
    sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((data) => Buffer.from(data).toString('hex')),
    link: bytes,
    hardLink: bytes,
    xattrs: fc.array(fc.tuple(fc.string(), fc.base64String())),
  },
  { requiredKeys: ['path', 'type', 'mode', 'size'] },
);
const owned = fc
  .tuple(file, fc.option(fc.tuple(number, number)), fc.option(fc.tuple(number, number)))
  .map(([one, owner, device]) => ({
    ...one,
    // An owner that is root is left out, as where they come from.
    ...(owner && (owner[0] !== 0 || owner[1] !== 0) ? { uid: owner[0], gid: owner[1] } : {}),
    ...(device ? { major: device[0], minor: device[1] } : {}),
  }));

const stepOf = (sources: SelectedFile[][]): ExecutableStep =>
  ({
    kind: 'copy',
    operation: {},
    source: {
      kind: 'directory',
      path: '/',
      sources: sources.map((files, index) => ({ path: `${index}`, name: 'n', directory: true, files })),
    },
  }) as unknown as ExecutableStep;

test('the files of a large COPY travel as bytes and arrive as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.array(owned, { maxLength: 20 }), { maxLength: 4 }), (few) => {
      const many: SelectedFile[] = Array.from({ length: 256 }, (_, index) => ({
        path: `d/${index}`,
        type: 'file',
        mode: 0o644,
        size: index,
      }));
      const given = stepOf([many, ...few]);
      const { step, payload } = packStep(given);
      const arrived = JSON.parse(JSON.stringify(step)) as typeof given & { kind: 'copy' };
      attachPayload(arrived, payload!);
      if (arrived.source.kind === 'none' || given.kind !== 'copy' || given.source.kind === 'none') throw 0;
      expect(unpackSources(arrived.source.sources)).toEqual(given.source.sources);
    }),
    { numRuns: 30 },
  );
});

test('a small one travels as it is', () => {
  const step = stepOf([[{ path: 'a', type: 'file', mode: 0o644, size: 1 }]]);
  expect(packStep(step)).toEqual({ step });
});

test('files that are not wanted are passed over, packed or not', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(owned, fc.boolean()), { maxLength: 30 }), (given) => {
      const files = given.map(([one]) => one);
      const expected = given.flatMap(([one, isWanted]) => (isWanted ? [one] : []));
      const source = { path: '', name: '', directory: true };
      for (const each of [
        { ...source, files },
        { ...source, files: [], packed: packFiles(files) },
      ]) {
        const asked: unknown[] = [];
        const wanted = filesOf(each, (...name) => given[asked.push(name) - 1]![1]);
        expect([...wanted]).toEqual(expected);
        expect(asked).toEqual(files.map(({ path, type, hardLink }) => [path, type, hardLink !== undefined]));
      }
    }),
    { numRuns: 100 },
  );
});
