import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small root file system as a tar, always the same. */
export function makeRootfs(path: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-rootfs-'));
  mkdirSync(join(directory, 'etc'));
  writeFileSync(join(directory, 'etc/hostname'), 'boat\n');
  writeFileSync(join(directory, 'data'), Buffer.alloc(123_456, 'slipway\n'));
  const flags = ['--sort=name', '--mtime=2020-01-01', '--owner=0', '--group=0', '--numeric-owner'];
  execFileSync('tar', [...flags, '-C', directory, '-cf', path, 'etc', 'data']);
  rmSync(directory, { recursive: true });
}
