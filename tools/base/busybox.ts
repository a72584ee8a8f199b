import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkageOf } from './elf.ts';
import { findProgram } from './programs.ts';
import { type RootfsEntry, SKELETON } from './rootfs.ts';

/** The names under which busybox is put into a base image: a fixed list, whatever else the binary can do. */
const APPLETS = [
  ...[
    'ash',
    'awk',
    'base64',
    'basename',
    'bunzip2',
    'cat',
    'chgrp',
    'chmod',
    'chown',
    'chroot',
    'cmp',
    'cp',
    'cut',
  ],
  ...[
    'date',
    'dd',
    'df',
    'diff',
    'dirname',
    'du',
    'echo',
    'env',
    'expr',
    'false',
    'find',
    'free',
    'getopt',
    'grep',
  ],
  ...[
    'gunzip',
    'gzip',
    'head',
    'hostname',
    'id',
    'ifconfig',
    'install',
    'ip',
    'kill',
    'ln',
    'ls',
    'md5sum',
    'mkdir',
  ],
  ...[
    'mkfifo',
    'mknod',
    'mktemp',
    'mount',
    'mv',
    'nc',
    'nohup',
    'nproc',
    'od',
    'ping',
    'printenv',
    'printf',
    'ps',
  ],
  ...[
    'pwd',
    'readlink',
    'realpath',
    'rm',
    'rmdir',
    'sed',
    'seq',
    'setsid',
    'sh',
    'sha256sum',
    'sleep',
    'sort',
    'stat',
  ],
  ...[
    'stty',
    'sync',
    'tail',
    'tar',
    'tee',
    'test',
    'time',
    'timeout',
    'touch',
    'tr',
    'true',
    'truncate',
    'tty',
  ],
  ...[
    'umount',
    'uname',
    'uniq',
    'unlink',
    'unzip',
    'vi',
    'watch',
    'wc',
    'wget',
    'which',
    'whoami',
    'xargs',
    'yes',
  ],
] as const;

/** Absolute path of a busybox on this machine that needs no library, or undefined. */
export function hostBusybox(): string | undefined {
  const path = findProgram('busybox');
  return path !== undefined && linkageOf(path) === 'static' ? path : undefined;
}

/**
 * Debian's busybox-static, fetched with apt-get from the mirror this machine is configured for and unpacked into a
 * temporary folder; nothing is installed. Gives the program's bytes, or undefined where there is no apt-get, no
 * network or no such package.
 */
export function debianBusybox(): Buffer | undefined {
  if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'slipway-busybox-'));
  try {
    const quiet = { cwd: folder, stdio: 'ignore' } as const;
    // apt's own user may not enter the private folder; it then says so and fetches as the caller.
    execFileSync('apt-get', ['-q', 'download', 'busybox-static'], { ...quiet, timeout: 120_000 });
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (archive === undefined) return undefined;
    execFileSync('dpkg-deb', ['-x', archive, 'unpacked'], quiet);
    const program = ['bin/busybox', 'usr/bin/busybox']
      .map((name) => join(folder, 'unpacked', name))
      .find((path) => existsSync(path));
    return program !== undefined && linkageOf(program) === 'static' ? readFileSync(program) : undefined;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A root file system of busybox alone: the program once, its applets as symbolic links in /bin, and a few files. */
export function busyboxRootfs(program: Buffer): RootfsEntry[] {
  return [
    ...SKELETON,
    { type: 'file', name: 'bin/busybox', mode: 0o755, content: program },
    ...APPLETS.map((name): RootfsEntry => ({ type: 'symlink', name: `bin/${name}`, target: 'busybox' })),
  ];
}
