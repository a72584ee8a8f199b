import { describe, expect, it } from 'vitest';
import { renderError } from '../../src/cli/render-error.ts';
import { SlipwayError } from '../../src/errors/index.ts';

const location = {
  file: 'Dockerfile',
  text: 'FROM x\nRUN false\n',
  range: { start: { offset: 7, line: 2, column: 1 }, end: { offset: 16, line: 2, column: 10 } },
};

const failed = new SlipwayError(
  'step-failed',
  'process "/bin/sh -c false" did not complete successfully: exit code: 1',
  { code: 'STEP_FAILED', location, exitCode: 1 },
);

describe('renderError', () => {
  it('shows the place, what failed and how', () => {
    expect(renderError(failed, { path: 'slipway image build', debug: false })).toEqual({
      exitCode: 1,
      text: `\
Dockerfile:2
--------------------
   1 |     FROM x
   2 | >>> RUN false
   3 |     
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c false" did not complete successfully: exit code: 1
`,
    });
  });

  it.each([
    {
      path: 'slipway build',
      error: new SlipwayError('usage', 'invalid progress mode x', { code: 'X', hint: 'Modes: plain, tty.' }),
      text: 'ERROR: invalid progress mode x\nHint: Modes: plain, tty.\n',
      exitCode: 1,
    },
    {
      path: 'slipway build',
      error: new SlipwayError('not-found', 'unable to prepare context: path "x" not found', { code: 'X' }),
      text: 'ERROR: failed to build: unable to prepare context: path "x" not found\n',
      exitCode: 1,
    },
    {
      path: 'slipway run',
      error: new SlipwayError('not-found', 'exec: "x": not found', { code: 'EXEC_NOT_FOUND' }),
      text: 'slipway: exec: "x": not found\n\nSee \'slipway run --help\'.\n',
      exitCode: 127,
    },
    {
      path: 'slipway container run',
      error: new SlipwayError('denied', 'permission denied', { code: 'EXEC_DENIED' }),
      text: "slipway: permission denied\n\nSee 'slipway container run --help'.\n",
      exitCode: 126,
    },
    {
      path: 'slipway run',
      error: new SlipwayError('not-found', 'No such image: x', { code: 'IMAGE_NOT_FOUND' }),
      text: "slipway: No such image: x\n\nSee 'slipway run --help'.\n",
      exitCode: 125,
    },
    {
      path: 'slipway rmi',
      error: new AggregateError([
        new SlipwayError('not-found', 'No such image: \x1b[2Ja\x07', { code: 'X' }),
        new SlipwayError('not-found', 'No such image: b', { code: 'X' }),
      ]),
      text: 'Error: No such image: a^G\nError: No such image: b\n',
      exitCode: 1,
    },
    {
      path: 'slipway images',
      error: new TypeError('x is not a function'),
      text: "slipway: this should not have happened: x is not a function\nRun it again with 'slipway --debug' in front of the command to see where.\n",
      exitCode: 1,
    },
  ])('$path: $error.message', ({ path, error, text, exitCode }) => {
    expect(renderError(error, { path, debug: false })).toEqual({ text, exitCode });
  });

  it('shows stacks and causes only when debugging', () => {
    const error = new SlipwayError('corrupt', 'bad blob', { code: 'X', cause: new Error('short read') });
    const { text } = renderError(error, { path: 'slipway load', debug: true });
    expect(text).toMatch(/^Error: bad blob\n.*bad blob\n\s+at .*caused by: Error: short read\n\s+at /s);
    expect(renderError(error, { path: 'slipway load', debug: false }).text).toBe('Error: bad blob\n');
  });
});
