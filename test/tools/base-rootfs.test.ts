import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { busyboxRootfs, debianBusybox, hostBusybox } from '../../tools/base/busybox.ts';
import { linkageOf } from '../../tools/base/elf.ts';
import { hostToolsRootfs } from '../../tools/base/host-tools.ts';
import { type RootfsEntry, SKELETON, tarOf } from '../../tools/base/rootfs.ts';
import { aptSource } from '../support/debian.ts';
import { describeWith, program, root } from '../support/need.ts';

const SCRIPT = 'echo hello | tr a-z A-Z; cat /etc/group | head -n 1; ls -d /tmp; id -u';

/** What the script prints in a root that holds nothing but this archive. */
function runIn(tar: Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-test-'));
  try {
    const archive = join(folder, 'rootfs.tar');
    writeFileSync(archive, tar);
    execFileSync('tar', ['-C', folder, '-xf', archive]);
    return execFileSync('chroot', [folder, '/bin/sh', '-c', SCRIPT], { encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('linkage of a program', () => {
  it('tells dynamic programs from other files', () => {
    expect(linkageOf(process.execPath)).toBe('dynamic');
    expect(linkageOf(import.meta.filename)).toBe('other');
  });
});

describe('the tar of a root file system', () => {
  it('is the same for the same entries in any order', async () => {
    const entries: RootfsEntry[] = [...SKELETON, { type: 'symlink', name: 'etc/link', target: 'passwd' }];
    expect((await tarOf(entries.toReversed())).equals(await tarOf(entries))).toBe(true);
  });
});

describeWith(
  { needs: [root(), program('tar'), program('busybox', 'busybox-static')] },
  'base images run',
  () => {
    it("with the host's tools and their libraries", async () => {
      expect(runIn(await tarOf(hostToolsRootfs()))).toBe('HELLO\nroot:x:0:\n/tmp\n0\n');
    });

    describeWith({ needs: [program('dpkg-deb', 'dpkg'), aptSource()] }, "with Debian's busybox", () => {
      it('fetched without installing it', async () => {
        expect(hostBusybox()).toBeDefined();
        expect(runIn(await tarOf(busyboxRootfs(debianBusybox()!)))).toBe('HELLO\nroot:x:0:\n/tmp\n0\n');
      });
    });
  },
);
