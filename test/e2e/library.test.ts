import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const PROGRAM = join(import.meta.dirname, '../../examples/library/outline.ts');

const DOCKERFILE = `FROM ${BASE_IMAGE} AS build
RUN echo made > /file
FROM scratch
COPY --from=build /file /file
`;

describe('a program that uses the library', () => {
  const store = suiteStore();

  it('outlines, plans and builds', async () => {
    const context = store.context('library', { Dockerfile: DOCKERFILE });
    const args = [PROGRAM, join(context, 'Dockerfile'), '--build', context, 'test/library'];
    const output = execFileSync(process.execPath, args, {
      encoding: 'utf8',
      env: { ...process.env, SLIPWAY_ROOT: store.root },
    });
    const [outline, ...rest] = output.split('\n\n');
    expect(outline).toBe('   1  FROM\n   2  RUN\n   3  FROM\n   4  COPY');
    expect(rest.join('\n')).toMatch(/^done +\[build 2\/2\] RUN echo made > \/file$/m);
    const id = /^(sha256:[0-9a-f]{64}): 2 steps ran, 0 were reused$/m.exec(output)?.[1];
    const [image] = JSON.parse(await store.ok(['inspect', 'test/library'])) as [{ Id: string }];
    expect(image.Id).toBe(id);
  });

  it('reports the errors of a Dockerfile', () => {
    const context = store.context('library-bad', { Dockerfile: 'FROM a\nRNU b\nEXPOZE 1\n' });
    const { stdout, status } = spawnSync(process.execPath, [PROGRAM, join(context, 'Dockerfile')], {
      encoding: 'utf8',
    });
    expect(stdout).toBe(
      '   1  FROM\nline 2: unknown instruction: RNU\nline 3: unknown instruction: EXPOZE\n',
    );
    expect(status).toBe(1);
  });
});
