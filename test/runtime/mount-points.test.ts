import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepareMountPoints, removeMountPoints } from '../../src/runtime/mount-points.ts';
import type { Mount } from '../../src/runtime/types.ts';

let directory: string;
let root: string;
let outside: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-points-'));
  root = join(directory, 'root');
  outside = join(directory, 'outside');
  for (const path of [root, outside]) mkdirSync(path);
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (target: string, source?: string): Mount =>
  source === undefined
    ? { type: 'tmpfs', target, options: [] }
    : { type: 'bind', source, target, options: [] };
/** Every name below the root; links are not followed. */
const tree = () =>
  execFileSync('find', [root, '-mindepth', '1', '-printf', '%P\\n'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .sort();

test('makes directories and files, and removes them', () => {
  mkdirSync(`${root}/etc`);
  const points = prepareMountPoints(root, [at('/a/b'), at('/etc/conf', '/etc/hostname'), at('/etc')]);
  expect(points.created.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
    'directory /proc',
    'directory /dev',
    'directory /sys',
    'directory /a',
    'directory /a/b',
    'file /etc/conf',
  ]);
  expect(tree()).toEqual(['a', 'a/b', 'dev', 'etc', 'etc/conf', 'proc', 'sys']);
  removeMountPoints(points);
  expect(tree()).toEqual(['etc']);
});

test('makes nothing below /dev, /proc, /sys or another mount', () => {
  const points = prepareMountPoints(root, [at('/dev/x'), at('/t'), at('/t/u', '/etc/hostname')]);
  expect(tree()).toEqual(['dev', 'proc', 'sys', 't']);
  removeMountPoints(points);
});

test('keeps the times of the directories around, and what a RUN makes of them', () => {
  mkdirSync(`${root}/etc`);
  mkdirSync(`${root}/opt`);
  const time = (path: string) => statSync(path, { bigint: true }).mtimeNs;
  const [etc, top] = [time(`${root}/etc`), time(root)];
  const points = prepareMountPoints(root, [at('/etc/conf', '/etc/hostname'), at('/opt/x')]);
  expect([time(`${root}/etc`), time(root)]).toEqual([etc, top]);
  writeFileSync(`${root}/opt/made`, '');
  const opt = time(`${root}/opt`);
  removeMountPoints(points);
  expect([time(`${root}/etc`), time(root), time(`${root}/opt`)]).toEqual([etc, top, opt]);
});

test('follows links inside the root only, also those that lead nowhere', () => {
  mkdirSync(`${root}/etc`);
  symlinkSync('../run/resolve/conf', `${root}/etc/resolv.conf`);
  symlinkSync(outside, `${root}/out`);
  const points = prepareMountPoints(root, [at('/etc/resolv.conf', '/etc/hostname'), at('/out/deep')]);
  expect(existsSync(`${root}/run/resolve/conf`)).toBe(true);
  expect(readdirSync(outside)).toEqual([]);
  expect(existsSync(join(root, outside, 'deep'))).toBe(true);
  removeMountPoints(points);
  expect(tree()).toEqual(['etc', 'etc/resolv.conf', 'out']);
});

test('a link that leads to itself is an error that leaves nothing', () => {
  symlinkSync('loop', `${root}/loop`);
  expect(() => prepareMountPoints(root, [at('/loop/x')])).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'MOUNT_TARGET' }),
  );
  expect(tree()).toEqual(['loop']);
});

test.each(['proc', 'dev', 'sys'])('refuses a link at /%s', (name) => {
  symlinkSync(outside, `${root}/${name}`);
  expect(() => prepareMountPoints(root, [])).toThrow(expect.objectContaining({ code: 'MOUNT_TARGET' }));
  expect(readdirSync(outside)).toEqual([]);
});

test('leaves what a RUN put there', () => {
  const points = prepareMountPoints(root, [
    at('/full'),
    at('/conf', '/etc/hostname'),
    at('/other', '/etc/hostname'),
  ]);
  writeFileSync(`${root}/full/file`, '');
  writeFileSync(`${root}/conf`, 'written');
  renameSync(`${root}/other`, `${root}/moved`);
  writeFileSync(`${root}/other`, '');
  removeMountPoints(points);
  expect(tree()).toEqual(['conf', 'full', 'full/file', 'other']);
});

test('a stub that was swapped for a link goes where it is now, and what the link points at stays', () => {
  const points = prepareMountPoints(root, [at('/a/b', '/etc/hostname'), at('/c')]);
  mkdirSync(`${outside}/empty`);
  writeFileSync(`${outside}/b`, '');
  renameSync(`${root}/a`, `${root}/old`);
  symlinkSync(outside, `${root}/a`);
  rmSync(`${root}/c`, { recursive: true });
  symlinkSync(`${outside}/empty`, `${root}/c`);
  removeMountPoints(points);
  expect(readdirSync(outside).sort()).toEqual(['b', 'empty']);
  expect(tree()).toEqual(['a', 'c']);
});
