import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { applyChmod, parseChmod } from '../../src/dockerfile/chmod.ts';
import { splitCsv } from '../../src/dockerfile/csv.ts';
import { formatDuration, parseDuration } from '../../src/dockerfile/duration.ts';
import { goQuote, goQuoteRune } from '../../src/dockerfile/go-text.ts';
import { resolveDestination, resolveWorkdir } from '../../src/dockerfile/paths.ts';
import { parseExposedPort } from '../../src/dockerfile/ports.ts';
import { parseSignal } from '../../src/dockerfile/signals.ts';
import { suggest } from '../../src/dockerfile/suggest.ts';
import { describeWith, root } from '../support/need.ts';

describeWith({ needs: [root()] }, 'chmod', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-chmod-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const modes = `0 644 4755 07777 u=rwX,go=rX +x -x a+rw,o-w u+s g+s +t g=u o=g,g-w u=rwx,g=rx,o= ug=o u-rwx
    a=r,u+w +X -X go= u=u,g=u,o=u a-rwx,u=rw =rx o+s ug+rw-x`.split(/\s+/);

  test.each(modes)('%s does what chmod(1) does', (text) => {
    const chmod = parseChmod(text);
    for (const isDirectory of [false, true]) {
      for (const mode of [0o644, 0o755, 0o600, 0o421, 0o000]) {
        const path = join(folder, `${isDirectory ? 'd' : 'f'}${mode}`);
        if (isDirectory) mkdirSync(path);
        else writeFileSync(path, '');
        chmodSync(path, mode);
        execFileSync('/bin/sh', ['-c', 'umask 0; exec chmod -- "$0" "$1"', text, path]);
        const real = statSync(path).mode & 0o7777;
        rmSync(path, { recursive: true });
        expect([
          text,
          isDirectory,
          mode.toString(8),
          applyChmod(chmod, { mode, isDirectory }).toString(8),
        ]).toEqual([text, isDirectory, mode.toString(8), real.toString(8)]);
      }
    }
  });

  test('where BSD, which Docker follows, differs from GNU', () => {
    const apply = (text: string) =>
      applyChmod(parseChmod(text), { mode: 0o644, isDirectory: false }).toString(8);
    // No sticky bit through "others"; X looks at the mode from before the whole change.
    expect([apply('o=t'), apply('u+x,+X')]).toEqual(['640', '744']);
  });

  test.each(['8', '10000', '0o644', '-1', 'u+', 'rw', 'u=z', 'u+x,', ',', 'x', '+x go-w', '77777777777'])(
    '%s is refused',
    (text) => {
      // `u+` asks for nothing, and chmod(1) takes it, too.
      if (text === 'u+') expect(parseChmod(text)).toEqual({ kind: 'symbolic', actions: [] });
      else {
        expect(() => parseChmod(text)).toThrow(
          `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
        );
      }
    },
  );
});

test('durations', () => {
  const texts = [
    '0',
    '0s',
    '1ns',
    '1.5us',
    '1µs',
    '1ms',
    '1.5s',
    '90s',
    '1h',
    '1h30m5.25s',
    '-2m',
    '.5s',
    '1.s',
    '3000h',
  ];
  expect(
    texts.map((text) => `${text} = ${parseDuration(text)} = ${formatDuration(parseDuration(text))}`),
  ).toMatchInlineSnapshot(`
    [
      "0 = 0 = 0s",
      "0s = 0 = 0s",
      "1ns = 1 = 1ns",
      "1.5us = 1500 = 1.5µs",
      "1µs = 1000 = 1µs",
      "1ms = 1000000 = 1ms",
      "1.5s = 1500000000 = 1.5s",
      "90s = 90000000000 = 1m30s",
      "1h = 3600000000000 = 1h0m0s",
      "1h30m5.25s = 5405250000000 = 1h30m5.25s",
      "-2m = -120000000000 = -2m0s",
      ".5s = 500000000 = 500ms",
      "1.s = 1000000000 = 1s",
      "3000h = 10800000000000000 = 3000h0m0s",
    ]
  `);
  const bad = ['', '5', 's', '1x', '1.2.3s', '1h-1m', '9999999999h', '- 1s'];
  const errors = bad.map((text) => {
    try {
      return parseDuration(text);
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(errors).toMatchInlineSnapshot(`
    [
      "time: invalid duration """,
      "time: missing unit in duration "5"",
      "time: invalid duration "s"",
      "time: unknown unit "x" in duration "1x"",
      "time: missing unit in duration "1.2.3s"",
      "time: unknown unit "h-" in duration "1h-1m"",
      "time: invalid duration "9999999999h"",
      "time: invalid duration "- 1s"",
    ]
  `);
});

test('signals', () => {
  const names = [
    'SIGTERM',
    'term',
    '15',
    'SIGRTMIN+3',
    'RTMAX-14',
    'RTMAX',
    '99',
    '0',
    'FOO',
    '',
    'RTMIN+16',
    'SIG',
    '-1',
  ];
  expect(names.map(parseSignal)).toEqual([
    15,
    15,
    15,
    37,
    50,
    64,
    99,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    -1,
  ]);
});

test('exposed ports', () => {
  const results = [
    '80',
    '80-82/UDP',
    '1.2.3.4:80:90',
    '[::1]:80:90',
    '8080:80',
    '0',
    '65535/sctp',
    '8080-8081:80-81',
    '80/',
  ].map((text) => {
    const { ports, upperCaseProtocol, hasHostPart } = parseExposedPort(text);
    return `${text}: ${ports.join(' ')}${upperCaseProtocol ? ' upper' : ''}${hasHostPart ? ' host' : ''}`;
  });
  expect(results).toMatchInlineSnapshot(`
    [
      "80: 80/tcp",
      "80-82/UDP: 80/udp 81/udp 82/udp upper",
      "1.2.3.4:80:90: 90/tcp host",
      "[::1]:80:90: 90/tcp host",
      "8080:80: 80/tcp host",
      "0: 0/tcp",
      "65535/sctp: 65535/sctp",
      "8080-8081:80-81: 80/tcp 81/tcp host",
      "80/: 80/tcp",
    ]
  `);
  const errors = [
    '80a',
    '65536',
    '82-80',
    '/tcp',
    '80/foo',
    '',
    'x:80:80',
    '80:',
    '1-3:80-81',
    '#',
    '-1',
  ].map((text) => {
    try {
      return parseExposedPort(text).ports;
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(errors).toMatchInlineSnapshot(`
    [
      "invalid containerPort: 80a",
      "invalid containerPort: 65536",
      "invalid containerPort: 82-80",
      "invalid port: "/tcp": no port specified",
      "invalid port: "80/foo": invalid proto: foo",
      "invalid port: "": no port specified",
      "invalid IP address: x",
      "invalid port: "80:": no port specified",
      "invalid ranges specified for container and host Ports: 80-81 and 1-3",
      "invalid containerPort: #",
      "invalid containerPort: -1",
    ]
  `);
});

test('paths', () => {
  expect(
    [
      ['', 'a'],
      ['/w', 'a/../b/'],
      ['/w', '/x//y/..'],
      ['/w', ''],
      ['/w', '../..'],
      ['w', '.'],
    ].map(([current, path]) => resolveWorkdir(current!, path!)),
  ).toEqual(['/a', '/w/b', '/x', '/w', '/', '/w']);
  expect(
    ['a', 'a/', '.', '', './', '/', '/a/.', '/a/..', '..', '../x', 'a//b/', '/.'].map((path) =>
      resolveDestination('/w', path),
    ),
  ).toEqual(['/w/a', '/w/a/', '/w/', '/w/', '/w/', '/', '/a/', '/', '/', '/x', '/w/a/b/', '/']);
});

test('Go texts', () => {
  expect(goQuote('a"\\\n\u0007\u0000\u001b\u007f\u00a0é😀\u2028\u{e0001}')).toBe(
    '"a\\"\\\\\\n\\a\\x00\\x1b\\x7f\\u00a0é😀\\u2028\\U000e0001"',
  );
  expect([3, 39, 92, 65, 0xd800].map(goQuoteRune)).toEqual(["'\\x03'", "'\\''", "'\\\\'", "'A'", "'�'"]);
});

test('comma-separated values', () => {
  const lines = ['a,b', '"a,b",c', '"a""b"', 'a,', '', 'a"b', '"a', '"a"b', '"",x'];
  expect(lines.map(splitCsv)).toEqual([
    { fields: ['a', 'b'] },
    { fields: ['a,b', 'c'] },
    { fields: ['a"b'] },
    { fields: ['a', ''] },
    { fields: [''] },
    { error: 'parse error on line 1, column 2: bare " in non-quoted-field' },
    { error: 'parse error on line 1, column 3: extraneous or missing " in quoted-field' },
    { error: 'parse error on line 1, column 4: extraneous or missing " in quoted-field' },
    { fields: ['', 'x'] },
  ]);
});

test('suggestions', () => {
  const known = ['build', 'test', 'Base'];
  expect(['buid', 'tset', 'base', 'build', 'xyz', 'bulid'].map((word) => suggest(word, known))).toEqual([
    'build',
    'test',
    'Base',
    undefined,
    undefined,
    'build',
  ]);
  expect(suggest('BASE', known, { ignoreCase: true })).toBe(undefined);
  expect(suggest('BSAE', known, { ignoreCase: true })).toBe('Base');
});
