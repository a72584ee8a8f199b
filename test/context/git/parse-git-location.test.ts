import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import type { GitLocation } from '../../../src/context/git/git-location.ts';
import { parseGitLocation, parseLocalRepository } from '../../../src/context/git/parse-git-location.ts';
import { suiteFolder } from '../../support/folders.ts';

interface Row {
  text: string;
  location?: GitLocation | null;
  error?: string;
}

const rows = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../testdata/git/locations.json'), 'utf8'),
) as Row[];

test.each(rows)('$text', ({ text, location, error }) => {
  if (error === undefined) expect(parseGitLocation(text) ?? null).toEqual(location ?? null);
  else expect(() => parseGitLocation(text)).toThrow(error);
});

describe('repositories of this machine', () => {
  const folder = suiteFolder('shared');

  it('are bare ones at paths that end in .git, and those that file:// names', () => {
    const bare = join(folder.path, 'x.git');
    mkdirSync(join(bare, 'objects'), { recursive: true });
    writeFileSync(join(bare, 'HEAD'), '');
    mkdirSync(join(folder.path, 'folder.git'));
    const remote = `file://${bare}`;
    const base = { remote, transport: 'file', host: '', shortName: 'x' };
    const read = (text: string): unknown => parseLocalRepository(text, folder.path);
    expect(read('x.git')).toEqual(base);
    expect(read('./x.git#v1:sub')).toEqual({ ...base, ref: 'v1', subdir: 'sub' });
    expect(read(`${bare}?branch=b`)).toEqual({ ...base, ref: 'refs/heads/b' });
    expect(read(remote)).toEqual(base);
    expect(read('folder.git')).toBeUndefined();
    expect(read('missing.git')).toBeUndefined();
    expect(read('.')).toBeUndefined();
    expect(() => read('x.git?what=1')).toThrow('unexpected query "what"');
  });
});
