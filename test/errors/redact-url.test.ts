import { expect, test } from 'vitest';
import { hideUrls, maskUrls, redactUrl } from '../../src/errors/redact-url.ts';

test.each([
  ['https://user:pass@example.com/a.git#b:c', 'https://example.com/a.git#b:c'],
  ['https://token@example.com/a', 'https://example.com/a'],
  ['https://example.com/a?X-Amz-Signature=abc&x=1', 'https://example.com/a?X-Amz-Signature=xxxxx&x=1'],
  ['https://example.com/a?access_token=abc#f', 'https://example.com/a?access_token=xxxxx#f'],
  ['ssh://git:secret@example.com/a', 'ssh://git@example.com/a'],
  ['ssh://git@example.com/a', 'ssh://git@example.com/a'],
  ['git@example.com:a/b', 'git@example.com:a/b'],
  ['https://example.com/a@b', 'https://example.com/a@b'],
  ['./dir', './dir'],
])('%s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test('in text secrets are hidden, for excerpts by as many characters', () => {
  const text = 'ADD https://u:pw@a/x?sig=12&v=3 git@b:c ssh://d:efg@h/i http://tok@j /k@l';
  expect(maskUrls(text)).toBe('ADD https://xxxx@a/x?sig=xx&v=3 git@b:c ssh://d:xxx@h/i http://xxx@j /k@l');
  expect(hideUrls(text)).toBe(
    'ADD https://xxxxx:xxxxx@a/x?sig=xxxxx&v=3 git@b:c ssh://d:xxxxx@h/i http://xxxxx@j /k@l',
  );
});
