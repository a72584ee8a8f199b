import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toDockerMessage } from '../../grammar/docker-message.ts';
import { parse } from '../../grammar/parse.ts';
import { fixtures, readable, showRange } from './support.ts';

/** Every folder of testdata/grammar/trees: the Dockerfile, its tree and its errors. */
describe('trees', () => {
  for (const name of readdirSync(fixtures('trees')).sort()) {
    test(name, async () => {
      const folder = fixtures('trees', name);
      const text = readFileSync(join(folder, 'Dockerfile'), 'utf8');
      const { dockerfile, errors } = parse(text);
      expect(JSON.parse(JSON.stringify(dockerfile))).toEqual(dockerfile);
      const lines = errors.map((error) => {
        const hint = error.hint === undefined ? '' : ` [${error.hint}]`;
        return `${showRange(error.range)} ${error.code} ${toDockerMessage(error)}${hint}`;
      });
      const tree = JSON.stringify(readable(dockerfile), null, 1);
      await expect(`${tree}\n${lines.map((line) => `${line}\n`).join('')}`).toMatchFileSnapshot(
        join(folder, 'expected.txt'),
      );
    });
  }
});
