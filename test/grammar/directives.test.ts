import { describe, expect, test } from 'vitest';
import { detectSyntax } from '../../grammar/directives.ts';
import { parse } from '../../grammar/parse.ts';

describe('detectSyntax', () => {
  test.each([
    [
      '# syntax=docker/dockerfile:1\nFROM a',
      { reference: 'docker/dockerfile:1', commandLine: 'docker/dockerfile:1' },
    ],
    ['#SYNTAX = a/b:1 x  y \r\nFROM a', { reference: 'a/b:1', commandLine: 'a/b:1 x  y' }],
    ['\uFEFF# syntax=a\n', { reference: 'a', commandLine: 'a' }],
    ['#!/usr/bin/env x\n# syntax=a\n', { reference: 'a', commandLine: 'a' }],
    ['# escape=`\n# check=skip=all\n# syntax=a\n', { reference: 'a', commandLine: 'a' }],
    ['// syntax=a b\n{}', { reference: 'a', commandLine: 'a b' }],
    ['{ "syntax": "a", "x": 1 }\n', { reference: 'a', commandLine: 'a' }],
    [' # syntax=a\n', undefined],
    ['\n# syntax=a\n', undefined],
    ['# hello\n# syntax=a\n', undefined],
    ['# foo=1\n# syntax=a\n', undefined],
    ['# escape=`\n# escape=`\n# syntax=a\n', undefined],
    ['{ "syntax": 1 }', undefined],
    ['{ "syntax": "a" } FROM', undefined],
    ['FROM a\n', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(detectSyntax(text)).toEqual(expected);
  });
});

describe('directives of a file', () => {
  const read = (text: string) => {
    const { dockerfile, errors } = parse(text);
    return [
      dockerfile.escape,
      ...dockerfile.directives.map(({ name, value }) => `${name}=${value}`),
      ...errors.map((e) => e.code),
    ];
  };

  test.each([
    [
      '# escape=`\n# syntax=a b\n# check=skip=X;error=true\nFROM a',
      ['`', 'escape=`', 'syntax=a b', 'check=skip=X;error=true'],
    ],
    ['  #  Escape  =  `  \nFROM a', ['`', 'escape=`']],
    ['# syntax=a\n# syntax=b\n# check=x\nFROM a', ['\\', 'syntax=a', 'check=x', 'DUPLICATE_DIRECTIVE']],
    ['# escape=\\\\\nFROM a', ['\\', 'INVALID_ESCAPE']],
    ['# syntax=a\n\n# escape=`\nFROM a', ['\\', 'syntax=a']],
    ['# syntax=a \\\n# escape=`\nFROM a', ['`', 'syntax=a \\', 'escape=`']],
    ['FROM a\n# escape=`\n', ['\\']],
    ['#!x\n# escape=`\n# check=x\n# check=y\nFROM a', ['\\', 'check=x']],
  ])('%j', (text, expected) => {
    expect(read(text)).toEqual(expected);
  });
});
