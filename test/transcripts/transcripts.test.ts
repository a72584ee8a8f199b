import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { slipwayCommand } from '../support/slipway.ts';
import { serveRegistry } from './registry.ts';
import { makeRootfs } from './rootfs.ts';
import { commandsOf, recordingOf, runTranscript, type Step } from './transcript.ts';
import { serveFolder } from './web.ts';

interface Recording {
  engine: string;
  steps: Step[];
}

/** Where Slipway says something else on purpose. */
interface Difference extends Step {
  transcript: string;
  why: string;
}

const differences = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../testdata/transcripts/differences.json'), 'utf8'),
) as Difference[];

describe.each(['images', 'archives', 'build', 'import', 'scripts', 'removal', 'pull'])(
  '%s as a real engine answers',
  (name) => {
    const recording = JSON.parse(readFileSync(recordingOf(name), 'utf8')) as Recording;
    let cwd: string;
    let steps: Step[];

    const servers: ChildProcess[] = [];

    beforeAll(async () => {
      cwd = mkdtempSync(join(tmpdir(), 'slipway-transcript-'));
      makeRootfs(join(cwd, 'rootfs.tar'), name);
      const program = slipwayCommand([])
        .map((word) => `'${word}'`)
        .join(' ');
      const served = await serveFolder(cwd);
      servers.push(served.server);
      const registry = await serveRegistry(join(cwd, 'registry'));
      servers.push(registry.server);
      steps = runTranscript(commandsOf(name), {
        program: `${program} "$@"`,
        cwd,
        web: served.url,
        registry: registry.host,
        env: { SLIPWAY_ROOT: join(cwd, 'store'), SOURCE_DATE_EPOCH: undefined },
      });
    });
    afterAll(() => {
      for (const server of servers) server.kill();
      rmSync(cwd, { recursive: true });
    });

    test('is the transcript that was recorded', () => {
      expect(recording.steps.map(({ command }) => command)).toEqual(
        commandsOf(name).filter((line) => !line.startsWith('- ')),
      );
    });

    test.each(recording.steps.map((step, index) => ({ ...step, index })))(
      '$index: $command',
      ({ index, ...step }) => {
        const difference = differences.find(
          ({ transcript, command }) => transcript === name && command === step.command,
        );
        const { command, output, status } = difference ?? step;
        expect(steps[index]).toEqual({ command, output, status });
      },
    );
  },
);
