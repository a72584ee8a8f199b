import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { describeWith, program } from '../support/need.ts';
import { slipwayCommand } from '../support/slipway.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';
import { programOnTerminal, type TerminalStep } from '../support/terminal.ts';

const SHELLS = {
  bash: { args: ['bash', '--norc', '-i'], load: 'source <(slipway completion bash)' },
  zsh: {
    args: ['zsh', '-f', '-i'],
    load: 'autoload -U compinit; compinit -D; source <(slipway completion zsh)',
  },
  fish: { args: ['fish', '--no-config', '-i'], load: 'slipway completion fish | source' },
};

describe('completion', () => {
  const store = suiteStore();
  let bin: string;

  beforeAll(async () => {
    bin = join(store.root, '../bin');
    mkdirSync(bin);
    const words = slipwayCommand([]).map((word) => `'${word}'`);
    writeFileSync(join(bin, 'slipway'), `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`, { mode: 0o755 });
    await store.ok(['tag', BASE_IMAGE, 'team/tagged:v1']);
    await store.ok(['tag', BASE_IMAGE, '127.0.0.1:5000/port/name']);
    await store.ok(['build', '-q', store.context('recorded', { Dockerfile: `FROM ${BASE_IMAGE}\n` })]);
  });

  const complete = async (...words: string[]): Promise<string[]> => {
    const lines = (await store.ok(['__complete', '--', ...words])).trim().split('\n');
    return lines.map((line) => line.split('\t')[0]!);
  };

  it('knows commands, flags, values, images, builds, and where files stand', async () => {
    expect(await complete('bui')).toEqual(['words', 'build', 'build-context', 'builder', 'builds', 'buildx']);
    expect(await complete('image', 'pr')).toEqual(['words', 'prune']);
    expect(await complete('help', 'image', 'hi')).toEqual(['words', 'history']);
    expect(await complete('--root', '/x', '-D', 'ver')).toEqual(['words', 'version']);
    expect(await complete('--ver')).toEqual(['words', '--version']);
    expect(await complete('build', '--no-c')).toEqual(['words', '--no-cache', '--no-cache-filter']);
    expect(await complete('build', '--progress', 'raw')).toEqual(['words', 'rawjson']);
    expect(await complete('build', '--progress=pl')).toEqual(['words', '--progress=plain']);
    expect(await complete('build', '-f', '')).toEqual(['files']);
    expect(await complete('build', '.', '')).toEqual(['files']);
    expect(await complete('rmi', 'team')).toEqual(['words', 'team/tagged:v1']);
    expect(await complete('rmi', '127.0.0.1:5')).toEqual([
      'words',
      '127.0.0.1:5000/port/name',
      '127.0.0.1:5000/port/name:latest',
    ]);
    expect(await complete('builds', 'show', '')).toHaveLength(2);
    expect(await complete('nothing', '')).toEqual(['words']);
    expect(await complete('__com')).toEqual(['words']);
    const wrong = await store.run(['completion', 'csh']);
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('bash, fish, zsh') });
  });

  for (const [name, { args, load }] of Object.entries(SHELLS)) {
    describeWith({ needs: [program(name), program('python3')] }, `in ${name}`, () => {
      it('completes what is typed before the tab key', async () => {
        // A shell may show what it adds and no more.
        const typed = (text: string, added: string): TerminalStep[] => [
          { send: text },
          { expect: added },
          // The line is emptied.
          { send: '\x15' },
        ];
        const steps: TerminalStep[] = [
          { send: `${load}; echo load''ed\r` },
          { expect: 'loaded' },
          ...typed('slipway image hist\t', 'ory'),
          ...typed('slipway build --no-cache-f\t', 'ilter'),
          ...typed('slipway build --progress=raw\t', 'json'),
          { send: "slipway inspect -f '<{{.Id}}>' team/ta\t" },
          { expect: 'gged:v1' },
          { send: '\r' },
          { expect: '<sha256:' },
          { send: 'exit\r' },
        ];
        const env = {
          PATH: `${bin}:${process.env.PATH}`,
          PS1: '$ ',
          HOME: store.context(`home-${name}`, {}),
          TERM: 'xterm',
        };
        const result = await programOnTerminal(args, { root: store.root, steps, env });
        expect(result.left, result.output).toEqual([]);
      });
    });
  }
});
