/**
 * Records what Docker's classic builder prints, in classic.json: `node testdata/progress/record-classic.ts`, with an
 * engine at hand (tools/peers.ts). The cases and what they build on stand in the file; ids are kept as they came.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { findPeer } from '../../tools/peers.ts';
import type { ClassicRecording } from '../../test/progress/classic-cases.ts';

const FILE = join(import.meta.dirname, 'classic.json');
const docker = findPeer('docker');
if ('missing' in docker) throw new Error(docker.missing);
const [program, ...words] = docker.command;

const recording = JSON.parse(readFileSync(FILE, 'utf8')) as ClassicRecording;
const { tar } = await makeBaseRootfs();
const folder = mkdtempSync(join(tmpdir(), 'slipway-classic-'));
try {
  execFileSync(program, [...words, 'import', '-', recording.base], { env: docker.env, input: tar });
  for (const one of recording.cases) {
    const context = mkdtempSync(join(folder, 'context-'));
    for (const [name, content] of Object.entries(one.files)) {
      mkdirSync(dirname(join(context, name)), { recursive: true });
      if (content.startsWith('-> ')) symlinkSync(content.slice(3), join(context, name));
      else writeFileSync(join(context, name), content);
    }
    const flags = ['build', '--network=host', ...one.flags, context].map((word) => `'${word}'`).join(' ');
    one.runs = one.runs.map(() => {
      const script = `DOCKER_BUILDKIT=0 exec docker ${flags}`;
      const result = spawnSync(program, [...words.slice(0, -1), 'sh', '-c', script], {
        env: docker.env,
        encoding: 'utf8',
      });
      const stderr = result.stderr.replace(/^DEPRECATED:.*?\n\n/s, '');
      return { stdout: result.stdout.replaceAll('\r', ''), stderr, exitCode: result.status ?? -1 };
    });
  }
  recording.recordedFrom = `docker ${docker.version}, DOCKER_BUILDKIT=0`;
  writeFileSync(FILE, `${JSON.stringify(recording, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
