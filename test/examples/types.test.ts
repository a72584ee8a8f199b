import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suiteFolder } from '../support/folders.ts';

const PROJECT = join(import.meta.dirname, '../..');

describe('the types of the package', () => {
  const folder = suiteFolder('shared');

  /** Checks programs in a folder that has the package installed, as its users do. */
  function check(name: string, program: string | undefined): { status: number | null; output: string } {
    const directory = join(folder.path, name);
    mkdirSync(join(directory, 'node_modules/@types'), { recursive: true });
    symlinkSync(PROJECT, join(directory, 'node_modules/slipway'));
    for (const types of ['@types/node', 'undici-types']) {
      symlinkSync(join(PROJECT, 'node_modules', types), join(directory, 'node_modules', types));
    }
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      types: ['node'],
    };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    if (program === undefined)
      copyFileSync(join(PROJECT, 'examples/library/outline.ts'), join(directory, 'main.ts'));
    else writeFileSync(join(directory, 'main.ts'), program);
    const tsc = join(PROJECT, 'node_modules/.bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', directory], {
      encoding: 'utf8',
      cwd: directory,
    });
    return { status, output: stdout };
  }

  it('fit the example', () => {
    expect(check('example', undefined)).toEqual({ status: 0, output: '' });
  });

  it('are exact enough to find mistakes', () => {
    const program = `import { build, parse, plan } from 'slipway';
const { dockerfile } = parse('FROM a');
dockerfile.instructions[0]!.keyword satisfies 'NONSENSE';
await build({ context: '.', tags: 'one' });
(await plan('FROM a')).stages[0]!.nothing;
`;
    const { status, output } = check('mistakes', program);
    expect(status).not.toBe(0);
    expect(output.match(/main\.ts\(\d+/g)).toEqual(['main.ts(3', 'main.ts(4', 'main.ts(5']);
  });
});
