import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A small root file system as a tar, for each transcript the same: an engine that keeps a layer of another one for some
 * reason answers alike.
 */
export function makeRootfs(path: string, transcript: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-rootfs-'));
  mkdirSync(join(directory, 'etc'));
  writeFileSync(join(directory, 'etc/hostname'), `${hash('sha256', transcript).slice(0, 4)}\n`);
  writeFileSync(join(directory, 'data'), Buffer.alloc(123_456, 'slipway\n'));
  const flags = ['--sort=name', '--mtime=2020-01-01', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...flags, '-C', directory, '-cf', path, 'etc', 'data']);
  rmSync(directory, { recursive: true });
}
