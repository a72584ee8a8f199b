import { describe, expect, it } from 'vitest';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

/** Layers of the same content are one in the store; the kernel refuses the same directory twice in one mount. */
describe('an image in which the same layer occurs twice', () => {
  const store = suiteStore();

  it.each([
    ['side by side', 'RUN true\nRUN true\n', 'ls /state', 1],
    ['apart', 'RUN true\nCOPY file /state\nRUN true\n', 'cat /state', 0],
    ['made, removed, made again', 'COPY file /state\nRUN rm /state\nCOPY file /state\n', 'cat /state', 0],
    ['removed again', 'COPY file /state\nRUN rm /state\nCOPY file /state\nRUN rm /state\n', 'ls /state', 1],
  ])('%s', async (name, lines, command, exitCode) => {
    const context = store.context(name, {
      Dockerfile: `FROM ${BASE_IMAGE}\n${lines}RUN ls / > /list\n`,
      file: 'on\n',
    });
    await store.ok(['build', '-t', 'test/equal', context]);
    const result = await store.run(['run', '--rm', 'test/equal', ...command.split(' ')]);
    expect(result).toMatchObject({ exitCode, stdout: exitCode === 0 ? 'on\n' : '' });
    const list = await store.ok(['run', '--rm', 'test/equal', 'cat', '/list']);
    expect(list.includes('state\n')).toBe(exitCode === 0);
  });
});
