import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, test } from 'vitest';
import { openDirectoryTree } from '../../src/context/directory-tree.ts';
import { openFingerprintIndex } from '../../src/context/fingerprint-index.ts';
import { parseExcludes, parseIgnoreFile } from '../../src/context/ignore-file.ts';
import type { ParentState } from '../../src/context/ignore-rules.ts';
import { selectSources } from '../../src/context/select.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import { bytesOf, textOf } from '../../src/sys/bytes.ts';
import { type IgnoreCases, makeTree } from './ignore-cases.ts';

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'ignore-file-'));
afterAll(() => fs.rmSync(work, { recursive: true }));

const recorded = JSON.parse(
  fs.readFileSync(new URL('../../testdata/context/ignore-cases.json', import.meta.url), 'utf8'),
) as IgnoreCases;

async function visiblePaths(root: string, ignore: Buffer): Promise<string[]> {
  const { matcher } = parseIgnoreFile('.dockerignore', ignore);
  const tree = openDirectoryTree({
    root: bytesOf(root),
    rules: matcher,
    index: openFingerprintIndex(undefined),
  });
  const selection = await selectSources(tree, { sources: ['.'], where: 'the build context' });
  return selection.sources.flatMap((source) => source.entries.map((entry) => textOfBytes(entry.path)));
}

function textOfBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

describe(`as Docker ${recorded.engine} does`, () => {
  test.each(recorded.cases.map((one, index) => [one.name, one, index] as const))(
    '%s',
    async (_name, one, index) => {
      const root = path.join(work, String(index));
      makeTree(root, one.files ?? recorded.tree);
      fs.writeFileSync(path.join(root, '.dockerignore'), one.ignore);
      const result = visiblePaths(root, Buffer.from(one.ignore));
      if (one.error !== undefined) await expect(result).rejects.toThrow(one.error);
      else expect((await result).sort()).toEqual(one.visible);
    },
  );
});

it('names file, line and place of a bad pattern', () => {
  let thrown: unknown;
  try {
    parseIgnoreFile('app.dockerignore', Buffer.from('# top\nok\n  a[\nrest'));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SlipwayError);
  const { kind, code, message, location } = thrown as SlipwayError;
  expect({ kind, code, message, range: location?.range }).toMatchInlineSnapshot(`
    {
      "code": "BAD_IGNORE_PATTERN",
      "kind": "syntax",
      "message": "app.dockerignore:3: syntax error in pattern: "a["",
      "range": {
        "end": {
          "column": 5,
          "line": 3,
          "offset": 13,
        },
        "start": {
          "column": 1,
          "line": 3,
          "offset": 9,
        },
      },
    }
  `);
});

describe('bytes that are not UTF-8', () => {
  const hides = (pattern: Buffer | string, name: string): boolean => {
    const { matcher } = parseIgnoreFile('x', Buffer.from(pattern));
    return matcher.hides(name, matcher.root);
  };
  // Go compares literal patterns by bytes and takes one broken byte for one character elsewhere.
  test.each<[pattern: string, name: string, hidden: boolean]>([
    ['a\xffb', 'a\xffb', true],
    ['a\xfeb', 'a\xffb', false],
    ['a?b', 'a\xffb', true],
    ['a?b', 'a\xe2\x82b', false],
    ['a??b', 'a\xe2\x82b', true],
    ['a?b', 'a\xe2\x82\xacb', true],
    ['a*b', 'a\xff\xfeb', true],
    ['**/\xff', 'x/\xff', true],
    ['\xff*', '\xfe', true],
  ])('%j and %j', (pattern, name, hidden) => {
    expect(hides(Buffer.from(pattern, 'latin1'), name)).toBe(hidden);
  });
});

it('says which rule hides a path', () => {
  const { rules, matcher } = parseIgnoreFile('x', Buffer.from('# c\n*\n!src\n  src/*.log\n'));
  const lines = ['README', 'src', 'src/a.c', 'src/a.log', 'src/x/y'].map((path) => {
    const { hidden, pattern } = matcher.verdict(path, false);
    const rule = rules[pattern];
    return [path, hidden, rule?.line, rule?.written];
  });
  expect(lines).toEqual([
    ['README', true, 2, '*'],
    ['src', false, 3, '!src'],
    ['src/a.c', false, 3, '!src'],
    ['src/a.log', true, 4, 'src/*.log'],
    ['src/x/y', false, 3, '!src'],
  ]);
});

it('takes --exclude as it stands, without dropping a leading slash', () => {
  const rules = parseExcludes([' /a ', './b/', '', '!b/keep']);
  expect(['a', 'b'].map((name) => rules.hides(name, rules.root))).toEqual([false, true]);
  expect(rules.hides('b/keep', rules.enter('b', rules.root))).toBe(false);
});

describe('against a naive reference', () => {
  /** Every path's own and its parents' match, computed from nothing for each path. */
  const reference = (patterns: string[], file: string): boolean => {
    const parts = file.split('/');
    let remembered = patterns.map(() => false);
    let hidden = false;
    for (let depth = 1; depth <= parts.length; depth++) {
      const at = parts.slice(0, depth).join('/');
      const now = patterns.map(() => false);
      hidden = false;
      patterns.forEach((pattern, i) => {
        const exception = pattern.startsWith('!');
        if (!remembered[i] && exception !== hidden) return;
        if (!remembered[i] && !naiveMatch(exception ? pattern.slice(1) : pattern, at)) return;
        now[i] = true;
        hidden = !exception;
      });
      remembered = now;
    }
    return hidden;
  };
  /** `*`, `?` and `**` as whole elements only, by trying every split. */
  const naiveMatch = (pattern: string, file: string): boolean => {
    const elements = (p: string[], f: string[]): boolean => {
      if (p.length === 0) return f.length === 0;
      if (p[0] === '**') {
        if (p.length === 1) return f.length > 0;
        return f.some((_, i) => elements(p.slice(1), f.slice(i)));
      }
      return f.length > 0 && characters(p[0]!, f[0]!) && elements(p.slice(1), f.slice(1));
    };
    const characters = (p: string, f: string): boolean => {
      if (p === '') return f === '';
      if (p[0] === '*')
        return [...Array(f.length + 1).keys()].some((i) => characters(p.slice(1), f.slice(i)));
      return f !== '' && (p[0] === '?' || p[0] === f[0]) && characters(p.slice(1), f.slice(1));
    };
    return elements(pattern.split('/'), file.split('/'));
  };

  const element = fc.oneof(
    fc.constantFrom('a', 'b', 'ab', 'a.b'),
    fc.constantFrom('*', '?', 'a*', '*b', '?b', '**'),
  );
  const pattern = fc
    .tuple(fc.boolean(), fc.array(element, { minLength: 1, maxLength: 3 }))
    // `**/**` means "at least two elements" to nobody but the reference.
    .filter(([, parts]) => !parts.some((part, i) => part === '**' && parts[i + 1] === '**'))
    .map(([exception, parts]) => (exception ? '!' : '') + parts.join('/'));
  const file = fc.array(fc.constantFrom('a', 'b', 'ab', 'a.b', 'x'), { minLength: 1, maxLength: 4 });

  it('agrees on random patterns and paths', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 6 }), file, (patterns, parts) => {
        const { matcher } = parseIgnoreFile('x', Buffer.from(patterns.join('\n')));
        expect(matcher.verdict(parts.join('/'), false).hidden).toBe(reference(patterns, parts.join('/')));
      }),
      { numRuns: 5000 },
    );
  });

  it('never passes by a directory in which an exception shows something', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 6 }), file, (patterns, parts) => {
        const { matcher } = parseIgnoreFile('x', Buffer.from(patterns.join('\n')));
        const shown = !matcher.verdict(parts.join('/'), false).hidden;
        for (let depth = 1; shown && depth < parts.length; depth++) {
          const directory = parts.slice(0, depth).join('/');
          if (matcher.verdict(directory, true).hidden) expect(matcher.mayShowBelow(directory)).toBe(true);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

it('does not enter a hidden directory when no exception can match below', () => {
  const root = path.join(work, 'closed');
  makeTree(root, ['node_modules/x/y', 'src/a']);
  const read: string[] = [];
  const rules = parseIgnoreFile('x', Buffer.from('node_modules\n!src/**/*.c')).matcher;
  const spying = {
    ...rules,
    enter: (directory: string, parent: ParentState) => {
      read.push(textOf(directory));
      return rules.enter(directory, parent);
    },
  };
  const tree = openDirectoryTree({
    root: bytesOf(root),
    rules: spying,
    index: openFingerprintIndex(undefined),
  });
  expect([tree.readdir(''), tree.readdir('node_modules'), tree.readdir('src'), read]).toEqual([
    ['src'],
    [],
    ['a'],
    ['src'],
  ]);
});
