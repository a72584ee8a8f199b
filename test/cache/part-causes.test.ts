import { expect, test } from 'vitest';
import { type PartContext, partCauses } from '../../src/cache/explain/part-causes.ts';
import { definitionDigest, type KeyParts } from '../../src/cache/keys.ts';
import { readableParts } from '../../src/cache/readable-parts.ts';

const CONTEXT: PartContext = {
  argNames: { before: [], after: [] },
  shellForm: { before: true, after: true },
  files: () => [],
};

const RUN: KeyParts = { instruction: 'RUN', args: '["/bin/sh","-c","x"]', user: '', platform: 'linux/amd64' };

/** What cannot be had by building twice on one machine; the rest is in testdata/explain/table.json. */
test.each<[string, KeyParts, KeyParts, object]>([
  [
    'platform',
    {},
    { platform: 'linux/arm64' },
    { kind: 'platform', change: 'changed', before: 'linux/amd64', after: 'linux/arm64' },
  ],
  [
    'security mode',
    { security: 'sandbox' },
    { security: 'insecure' },
    { kind: 'security', change: 'changed', before: 'sandbox', after: 'insecure' },
  ],
  ['hosts', {}, { hosts: 'a b' }, { kind: 'other', name: 'hosts', change: 'added', after: 'a b' }],
  [
    'device',
    { 'device 0': 'gpu' },
    {},
    { kind: 'other', name: 'device 0', change: 'removed', before: 'gpu' },
  ],
  [
    'ssh mount',
    { 'mount 0': 'ssh default /run/a 384 0 0' },
    { 'mount 0': 'ssh other /run/a 384 0 0' },
    {
      kind: 'ssh',
      change: 'changed',
      before: 'id=default,target=/run/a,mode=0600,uid=0,gid=0',
      after: 'id=other,target=/run/a,mode=0600,uid=0,gid=0',
    },
  ],
  ['a part that no rule knows', { new: '1' }, { new: '2' }, { kind: 'other', name: 'new' }],
])('%s', (_, before, after, cause) => {
  expect(partCauses({ ...RUN, ...before }, { ...RUN, ...after }, CONTEXT)).toMatchObject([cause]);
});

test('equal parts give no cause, and any other part gives one', () => {
  const names = ['args', 'user', 'env A', 'env order', 'script f', 'mount 0', 'epoch', 'cwd', 'anything'];
  for (const name of names) {
    const value = name === 'args' ? '["/bin/sh","-c","y"]' : name === 'mount 0' ? 'tmpfs /t 5' : 'v';
    expect(partCauses(RUN, RUN, CONTEXT)).toEqual([]);
    expect(partCauses(RUN, { ...RUN, [name]: value }, CONTEXT), name).toHaveLength(1);
    expect(definitionDigest(RUN)).not.toBe(definitionDigest({ ...RUN, [name]: value }));
  }
});

test('kept parts hold no long values and none that look secret, and are equal where the parts are', () => {
  const long = 'x'.repeat(5000);
  const parts = { ...RUN, 'env API_TOKEN': 'tiger', 'env MODE': 'fast', 'script f': long };
  const kept = readableParts(parts);
  expect(JSON.stringify(kept)).not.toContain('tiger');
  expect(kept['env MODE']).toBe('fast');
  expect(kept['script f']).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(readableParts(kept)).toEqual(kept);
  expect(readableParts({ ...parts, 'env API_TOKEN': 'lion' })).not.toEqual(kept);
  expect(partCauses(kept, readableParts({ ...parts, 'env API_TOKEN': 'lion' }), CONTEXT)).toEqual([
    { kind: 'environment', name: 'API_TOKEN', change: 'changed' },
  ]);
});
