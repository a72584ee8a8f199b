import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FOREIGN, foreignProgram, ownEmulators } from '../support/foreign-program.ts';
import { describeWith, program, root } from '../support/need.ts';
import { ordinaryUser } from './ordinary-user.ts';

const NEEDS = [
  root(),
  ownEmulators(),
  program('useradd', 'passwd'),
  program('newuidmap', 'uidmap'),
  program(FOREIGN.qemu, 'qemu-user-static'),
];

describeWith({ needs: NEEDS }, 'RUN for another processor by an ordinary user', () => {
  for (const [who, ranges] of [
    ['with subordinate ids', ['700000000:70000']],
    ['with a single id', []],
  ] as const) {
    describeWith({ needs: [] }, who, () => {
      const user = ordinaryUser(ranges);

      it('is emulated in the user namespace of the worker', async () => {
        const context = user.context('emulated', {
          Dockerfile: 'FROM scratch\nCOPY --chmod=755 program /program\nRUN ["/program"]\n',
          program: foreignProgram(),
        });
        const dest = join(user.folder, 'home', 'out');
        await user.ok(['build', '--platform', FOREIGN.platform, '-o', dest, context]);
        expect(readFileSync(join(dest, 'machine'), 'utf8')).toBe(FOREIGN.machine);
      });
    });
  }
});
