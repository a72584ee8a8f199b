import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openResumableSha256 } from '../../src/sys/resumable-sha256.ts';

test('a state that was put aside gives the digest of the whole', () => {
  const data = randomBytes(1_000_000);
  const expected = createHash('sha256').update(data).digest('hex');
  for (const at of [0, 64, 512, 999_936]) {
    const first = openResumableSha256()!;
    first.update(data.subarray(0, at));
    const second = openResumableSha256()!;
    second.resume(first.state(), at);
    second.update(data.subarray(at));
    expect(second.digest()).toBe(expected);
  }
});

test('between blocks there is no state', () => {
  const hash = openResumableSha256()!;
  hash.update(Buffer.alloc(65));
  expect(() => hash.state()).toThrow('a state is taken between blocks');
});
