import { describe, expect, it } from 'vitest';
import {
  identity,
  idMapWord,
  parseIdMap,
  rootAndRanges,
  subordinateRanges,
} from '../../../src/execute/isolation/id-map.ts';
import { containsIdMap } from '../../../src/store/id-map.ts';

describe('ranges of /etc/subuid', () => {
  const text = `# comment
anna:100000:65536
bert:200000:65536
1000:300000:10
anna:400000:5
anna:x:5
anna:5
anna:1:2:3
anna:4294967290:100
anna:500000:0
`;

  it('are those by name and by number, and no others', () => {
    expect(subordinateRanges(text, { name: 'anna', id: 1000 })).toEqual([
      { start: 100_000, count: 65_536 },
      { start: 300_000, count: 10 },
      { start: 400_000, count: 5 },
    ]);
    expect(subordinateRanges(text, { name: undefined, id: 7 })).toEqual([]);
  });
});

describe('a map of root and ranges', () => {
  it.each([
    [[], '0:1000:1'],
    [[[100_000, 65_536]], '0:1000:1,1:100000:65536'],
    [
      [
        [300_000, 10],
        [100_000, 5],
      ],
      '0:1000:1,1:300000:10,11:100000:5',
    ],
    // Overlaps are mapped once: with the own id, with each other, in the middle.
    [[[998, 5]], '0:1000:1,1:998:2,3:1001:2'],
    [
      [
        [100, 10],
        [105, 10],
      ],
      '0:1000:1,1:100:10,11:110:5',
    ],
    [
      [
        [105, 2],
        [100, 10],
      ],
      '0:1000:1,1:105:2,3:100:5,8:107:3',
    ],
    [
      [
        [100, 10],
        [100, 10],
      ],
      '0:1000:1,1:100:10',
    ],
  ])('of %j is %s', (ranges, word) => {
    const map = rootAndRanges(
      1000,
      ranges.map(([start, count]) => ({ start: start!, count: count! })),
    );
    expect(idMapWord({ uid: map, gid: [] })).toBe(`${word}/`);
  });

  it('has no more ranges than the kernel takes', () => {
    const ranges = Array.from({ length: 1000 }, (_, i) => ({ start: 2000 + 2 * i, count: 1 }));
    expect(rootAndRanges(1000, ranges)).toHaveLength(340);
  });
});

describe('the identity of a namespace', () => {
  it('is not taken for the first namespace', () => {
    expect(identity(parseIdMap('         0          0 4294967295\n'))).toEqual([
      { inside: 0, outside: 0, count: 4_294_967_294 },
    ]);
    expect(identity(parseIdMap('0 1000 1\n1 100000 65536\n'))).toEqual([
      { inside: 0, outside: 0, count: 1 },
      { inside: 1, outside: 1, count: 65_536 },
    ]);
  });
});

describe('a map of a store', () => {
  it.each([
    ['0:1000:1,1:100000:65536/0:1000:1', '0:1000:1/0:1000:1', true],
    ['0:1000:1,1:100000:65536/0:1000:1', '0:1000:1,1:100000:1000/0:1000:1', true],
    ['0:1000:1,1:100000:1000/0:1000:1', '0:1000:1,1:100000:65536/0:1000:1', false],
    ['0:1000:1,1:200000:65536/0:1000:1', '0:1000:1,1:100000:1000/0:1000:1', false],
    ['0:1001:1/0:1000:1', '0:1000:1/0:1000:1', false],
    ['host', '0:1000:1/0:1000:1', false],
    ['0:0:4294967294/0:0:4294967294', 'host', false],
    ['none:0:0:4294967295/0:0:4294967295', '0:0:1/0:0:1', false],
  ])('%s holds %s: %s', (wider, old, expected) => {
    expect(containsIdMap(wider, old)).toBe(expected);
  });
});
