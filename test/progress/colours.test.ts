import { expect, it } from 'vitest';
import { lineColours } from '../../src/progress/colours.ts';

it.each([
  [undefined, {}],
  ['', {}],
  ['run=cyan', { done: '\x1b[36m' }],
  [
    'run=255,0,128:error=light-red:cancel=default',
    { done: '\x1b[38;2;255;0;128m', error: '\x1b[91m', canceled: '' },
  ],
  ['run=256,0,0:error=purple:log=red:nonsense', {}],
])('BUILDKIT_COLORS=%s', (setting, changed) => {
  const usual = { plain: '', done: '\x1b[34m', error: '\x1b[31m', canceled: '\x1b[33m', log: '\x1b[2m' };
  expect(lineColours(setting)).toEqual({ ...usual, ...changed });
});
