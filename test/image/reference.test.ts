import { describe, expect, test } from 'vitest';
import {
  familiarReference,
  formatReference,
  isTag,
  normalizeReference,
  parseReference,
  withDefaultTag,
} from '../../src/image/reference.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('names of images', () => {
  test.each<[string, string, string]>([
    ['debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['docker.io/library/debian:x', 'docker.io/library/debian:x', 'debian:x'],
    ['index.docker.io/library/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['library/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
    ['127.0.0.1:5000/bb:1', '127.0.0.1:5000/bb:1', '127.0.0.1:5000/bb:1'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['example.com/a/b/c', 'example.com/a/b/c:latest', 'example.com/a/b/c:latest'],
    ['Host/app', 'Host/app:latest', 'Host/app:latest'],
    ['a__b', 'docker.io/library/a__b:latest', 'a__b:latest'],
    ['a---b.c_d', 'docker.io/library/a---b.c_d:latest', 'a---b.c_d:latest'],
    [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
    [`debian:12@${DIGEST}`, `docker.io/library/debian:12@${DIGEST}`, `debian:12@${DIGEST}`],
    ['app:A_b.c-d', 'docker.io/library/app:A_b.c-d', 'app:A_b.c-d'],
  ])('%s', (text, full, short) => {
    expect(normalizeReference(text)).toBe(full);
    expect(familiarReference(withDefaultTag(parseReference(text)))).toBe(short);
    expect(formatReference(parseReference(full))).toBe(full);
    expect(normalizeReference(short)).toBe(full);
  });

  test.each([
    ['', 'invalid reference format'],
    ['Debian', 'invalid reference format: repository name (library/Debian) must be lowercase'],
    ['user/App:1', 'invalid reference format: repository name (user/App) must be lowercase'],
    ['a:b:c', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a-', 'invalid reference format'],
    ['a..b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['/a', 'invalid reference format'],
    ['a/', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a:-x', 'invalid reference format'],
    [`a:${'x'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    [`a@sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
    [`a@foo:${'a'.repeat(64)}`, 'unsupported digest algorithm'],
    [`a@sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
    ['../../etc/passwd', 'invalid reference format'],
    ['a/../b', 'invalid reference format'],
    ['a\nb', 'invalid reference format'],
    ['a:x\n', 'invalid reference format'],
    [
      'ab'.repeat(32),
      `invalid repository name (${'ab'.repeat(32)}), cannot specify 64-byte hexadecimal strings`,
    ],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
    ['a-'.repeat(500_000), 'invalid reference format'],
  ])('%s is refused', (text, message) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ message, code: 'REFERENCE_INVALID' }),
    );
  });

  test('tags', () => {
    expect(['latest', '1.0', '_x', 'a'.repeat(128), '', '.x', '-x', 'a b', 'x\n'].map(isTag)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});
