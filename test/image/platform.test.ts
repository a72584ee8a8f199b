import { expect, test } from 'vitest';
import { formatPlatform, parsePlatform, samePlatform } from '../../src/image/platform.ts';

const LOCAL = { os: 'linux', architecture: 'amd64' };

test.each([
  ['linux/amd64', 'linux/amd64'],
  ['linux', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['x86_64', 'linux/amd64'],
  ['linux/x86-64/v1', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/aarch64', 'linux/arm64'],
  ['arm64', 'linux/arm64'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/armhf', 'linux/arm/v7'],
  ['armel', 'linux/arm/v6'],
  ['linux/i386', 'linux/386'],
  ['macos/arm64', 'darwin/arm64'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/riscv64', 'linux/riscv64'],
  ['windows(10.0.17763)/amd64', 'windows(10.0.17763)/amd64'],
])('%s is %s', (text, formatted) => {
  expect(formatPlatform(parsePlatform(text, LOCAL))).toBe(formatted);
});

test.each(['', '/', 'linux/', 'nonsense', 'linux/*', 'a/b/c/d', 'li nux/amd64', 'linux/a b', 'linux/amd64/'])(
  '"%s" is refused',
  (text) => {
    expect(() => parsePlatform(text, LOCAL)).toThrow(expect.objectContaining({ code: 'PLATFORM_INVALID' }));
  },
);

test('equal platforms', () => {
  expect(
    samePlatform(
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
      { os: 'linux', architecture: 'arm64' },
    ),
  ).toBe(true);
  expect(
    samePlatform({ os: 'linux', architecture: 'arm', variant: 'v6' }, { os: 'linux', architecture: 'arm' }),
  ).toBe(false);
});
