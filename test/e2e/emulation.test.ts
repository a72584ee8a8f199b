import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findProgram } from '../../tools/base/programs.ts';
import { suiteFolder } from '../support/folders.ts';
import { FOREIGN, foreignProgram, ownEmulators, registered } from '../support/foreign-program.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program } from '../support/need.ts';
import { suiteStore } from '../support/suite-store.ts';

const NEEDS = [ownEmulators(), program(FOREIGN.qemu, 'qemu-user-static')];

describeWith({ needs: NEEDS }, 'RUN for another processor', () => {
  const store = suiteStore();
  const folder = suiteFolder('shared');
  const files = (): Record<string, string | Buffer> => ({
    Dockerfile: `FROM scratch
COPY --chmod=755 program /program
RUN ["/program"]
`,
    program: foreignProgram(),
  });

  test.for(['embedded', 'runc'])('is emulated by what PATH has, with the runtime %s', async (runtime) => {
    const before = registered();
    const context = store.context(`emulated-${runtime}`, files());
    const dest = join(folder.path, runtime);
    const args = ['build', '--no-cache', `--runtime=${runtime}`, '--platform', FOREIGN.platform];
    await store.ok([...args, '-o', dest, context]);
    expect(readFileSync(join(dest, 'machine'), 'utf8')).toBe(FOREIGN.machine);
    expect(registered()).toEqual(before);
    expect(await leftovers(store.root)).toEqual([]);
  });

  test('run: as in builds, with a warning where no platform was asked for', async () => {
    const context = store.context('to-run', {
      ...files(),
      Dockerfile: 'FROM scratch\nCOPY --chmod=755 program /program\nCMD ["/program"]\n',
    });
    const several = ['--platform', `linux/amd64,${FOREIGN.platform}`];
    await store.ok(['build', '-q', ...several, '-t', 'foreign', context]);
    const asked = await store.run(['run', '--platform', FOREIGN.platform, 'foreign']);
    expect(asked).toMatchObject({ exitCode: 0, stderr: '' });
    await store.ok(['build', '-q', '--platform', FOREIGN.platform, '-t', 'only-foreign', context]);
    for (const runtime of ['embedded', 'runc']) {
      const { exitCode, stderr } = await store.run(['run', `--runtime=${runtime}`, 'only-foreign']);
      expect([exitCode, stderr]).toEqual([
        0,
        "WARNING: The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64) and no specific platform was requested\n",
      ]);
    }
    expect(await leftovers(store.root)).toEqual([]);
    const other = await store.run(['run', '--platform', 'linux/s390x', 'foreign']);
    expect([other.exitCode, other.stderr]).toEqual([
      125,
      expect.stringContaining('does not provide the specified platform (linux/s390x)'),
    ]);
  });

  test('without an emulator one error says how to get it, and what is cached needs none', async () => {
    const context = store.context('missing', files());
    const bin = join(folder.path, 'bin');
    mkdirSync(bin);
    for (const name of ['unshare', 'setpriv', 'sh', 'mount', 'sleep', 'newuidmap', 'newgidmap']) {
      const path = findProgram(name);
      if (path !== undefined) symlinkSync(path, join(bin, name));
    }
    const env = { PATH: bin };
    const args = ['build', '-q', '--platform', 'linux/sparc64', context];
    const { exitCode, stderr } = await store.run(args, { env });
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('has no emulator for linux/sparc64 registered');
    expect(stderr).toContain('qemu-user-static');
    const only = store.context('no-emulator', {
      ...files(),
      Dockerfile: 'FROM scratch\nCOPY --chmod=755 program /program\nCMD ["/program"]\n',
    });
    await store.ok(['build', '-q', '--platform', 'linux/sparc64', '-t', 'no-emulator', only]);
    const run = await store.run(['run', '--rm', 'no-emulator'], { env });
    expect([run.exitCode, run.stderr]).toEqual([
      125,
      expect.stringContaining('has no emulator for linux/sparc64 registered'),
    ]);
    const known = ['build', '-q', '--platform', FOREIGN.platform, context];
    const first = await store.ok(known);
    expect(await store.ok(known, { env })).toBe(first);
  });
});
