import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { bootId, processIdentity, processState } from '../../src/sys/process-identity.ts';

test('names this process, its boot and its namespace', () => {
  const own = processIdentity()!;
  expect(own.pid).toBe(process.pid);
  expect(own.bootId).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  expect(own.bootId).toBe(bootId());
  expect(own.pidNamespace).toMatch(/^pid:\[\d+\]$/);
  expect(processState(own)).toBe('alive');
  expect(processState({ ...own, startTime: own.startTime - 1 })).toBe('dead');
  expect(processState({ ...own, bootId: 'another' })).toBe('dead');
  expect(processState({ ...own, pidNamespace: 'pid:[1]' })).toBe('unknown');
});

test('a process that has ended is dead', async () => {
  const child = spawn('sleep', ['100']);
  const identity = processIdentity(child.pid!)!;
  expect(processState(identity)).toBe('alive');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(processState(identity)).toBe('dead');
  expect(processIdentity(child.pid!)).toBeUndefined();
});
