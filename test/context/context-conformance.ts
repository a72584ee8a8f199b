import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { digestSelection } from '../../src/cache/content-digest.ts';
import type { ContextSource } from '../../src/context/context-source.ts';
import { selectSources } from '../../src/context/select.ts';
import type { SlipwayError } from '../../src/errors/index.ts';

/** Files of every context that the suite is given: names with `!` in front are executable, values `-> x` are links. */
export const CONFORMANCE_FILES: Readonly<Record<string, string>> = {
  'a.txt': 'content of a\n',
  '!run.sh': '#!/bin/sh\n',
  'dir/b.txt': 'b',
  'dir/deep/c': '',
  inside: '-> dir/b.txt',
  outside: '-> /etc/passwd',
  above: '-> ../../../etc/passwd',
  'with blank': 'x',
};

/** What the suite needs to know beside the source itself. */
export interface OpenedForTest {
  source: ContextSource;
  /** Words that must not stand in what people are shown. */
  secrets?: readonly string[];
}

/**
 * What holds of every `ContextSource`, wherever its files come from: `open` gives one with {@link CONFORMANCE_FILES}.
 * The digest of its files is the same for all kinds.
 */
export function describeContextSource(name: string, open: () => Promise<OpenedForTest>): void {
  describe(`a context from ${name}`, () => {
    const opened: ContextSource[] = [];
    afterEach(() => {
      for (const source of opened.splice(0)) source.close();
    });
    const sourceOf = async (): Promise<OpenedForTest> => {
      const made = await open();
      opened.push(made.source);
      return made;
    };
    const select = (source: ContextSource, ...sources: string[]) =>
      selectSources(source.tree, { sources, where: 'the build context', context: source });

    it('has all files, as root`s, with the modes that they are to have', async () => {
      const { source } = await sourceOf();
      const selection = await select(source, '.');
      const lines = selection.sources[0]!.entries.map(({ path, node }) =>
        [
          node.type,
          node.type === 'symlink' ? node.link : node.mode.toString(8),
          node.uid,
          node.gid,
          path,
        ].join(' '),
      );
      expect(lines.filter((line) => !line.endsWith('.gitignore'))).toEqual([
        'file 644 0 0 a.txt',
        'symlink ../../../etc/passwd 0 0 above',
        'directory 755 0 0 dir',
        'file 644 0 0 dir/b.txt',
        'directory 755 0 0 dir/deep',
        'file 644 0 0 dir/deep/c',
        'symlink dir/b.txt 0 0 inside',
        'symlink /etc/passwd 0 0 outside',
        'file 755 0 0 run.sh',
        'file 644 0 0 with blank',
      ]);
    });

    it('gives the digest that these files have everywhere', async () => {
      const { source } = await sourceOf();
      const selection = await select(source, 'dir', 'a.txt', 'run.sh', 'with blank');
      expect(await digestSelection(source.tree, selection)).toBe(
        '0b989fcc84826a586d0737b50747a08cc7fbc3aa7abc8e806fa77a62b4bcbc2b',
      );
    });

    it('has them under their names in a directory of this machine', async () => {
      const { source } = await sourceOf();
      expect(readFileSync(join(source.root!, 'dir/b.txt'), 'utf8')).toBe('b');
    });

    it('follows links inside itself and none that lead out of it', async () => {
      const { source } = await sourceOf();
      expect((await select(source, 'inside')).sources.map(({ path, name: as }) => [path, as])).toEqual([
        ['dir/b.txt', 'inside'],
      ]);
      for (const link of ['outside', 'above']) {
        const error = (await select(source, link).catch((thrown: unknown) => thrown)) as SlipwayError;
        expect([error.kind, error.code]).toEqual(['not-found', 'SOURCE_NOT_FOUND']);
      }
    });

    it('describes itself without credentials', async () => {
      const { source, secrets = [] } = await sourceOf();
      expect(source.description).not.toBe('');
      for (const secret of secrets) expect(source.description).not.toContain(secret);
    });

    it('can be opened twice at once', async () => {
      const [one, two] = await Promise.all([sourceOf(), sourceOf()]);
      one.source.close();
      opened.splice(0, opened.length, two.source);
      expect(readFileSync(join(two.source.root!, 'a.txt'), 'utf8')).toBe('content of a\n');
    });
  });
}
