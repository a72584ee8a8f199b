import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith, program, root } from '../support/need.ts';
import { FROM, hardeningStore, makeTar, outsideFolder, RUNTIMES, topLayer } from './support.ts';

describeWith({ needs: [root(), program('bzip2'), program('xz', 'xz-utils')] }, 'isolation of RUN', () => {
  const store = hardeningStore();
  const outside = outsideFolder();
  let server: Server;
  const socket = `slipway-isolation-${process.pid}`;
  beforeAll(() => {
    server = createServer((connection) => connection.end('reached')).listen(`\0${socket}`);
  });
  afterAll(() => void server.close());

  describe.each(RUNTIMES)('by %s', (runtime) => {
    const log = (command: string, ...flags: string[]) =>
      store.log(`${FROM}RUN ${command}\n`, 'RUN ', { flags: ['--no-cache', '--runtime', runtime, ...flags] });

    it('shows no descriptor of the builder', async () => {
      // ls opens the directory as 3; the shell's pipes come after the builder's end.
      const text = await log('ls /proc/self/fd; for i in 0 1 2; do readlink /proc/$$/fd/$i; done');
      // runc puts a pipe of its own before the empty input.
      const input = runtime === 'runc' ? 'pipe:[N]' : '/dev/null';
      expect(text.replace(/\d{2,}/g, 'N')).toBe(`0\n1\n2\n3\n${input}\npipe:[N]\npipe:[N]\n`);
    });

    it('shows no process of the builder, and no way to its root', async () => {
      const text = await log(
        `ls -d /proc/[0-9]* | wc -l; for p in /proc/[0-9]*; do ls -d $p/root${outside.path} $p/cwd${outside.path}; done 2>&1 | grep -vc "No such file"; ls -d ${outside.path} 2>&1; cut -d" " -f5 /proc/self/mountinfo | grep -c "^${outside.path}"`.concat(
          '; true',
        ),
      );
      const [processes, found, listed, mounts] = text.trim().split('\n');
      expect(Number(processes)).toBeLessThanOrEqual(4);
      expect([found, mounts]).toEqual(['0', '0']);
      expect(listed).toContain('No such file');
    });

    it('mounts the root and everything that can be written to nodev', async () => {
      const lines = (await log('cat /proc/self/mounts')).trim().split('\n');
      const writable = lines.filter((line) => /^rw[,$]/.test(line.split(' ')[3]!));
      // The few devices themselves, and the memory that they lie on: no node can be made there.
      const open = writable.filter((line) => !line.split(' ')[3]!.split(',').includes('nodev'));
      expect(lines.length).toBeGreaterThan(10);
      for (const line of open) expect(line.split(' ')[1]).toMatch(/^\/dev(\/|$)|^\/proc\//);
    });

    it('cannot make or open a device anywhere', async () => {
      const text = await log(
        'for d in / /dev /dev/shm /tmp /proc /sys; do mknod $d/x b 510 77; mknod $d/m c 1 1; done 2>&1; ls /x /m /dev/x /dev/m 2>/dev/null; echo end',
      );
      const lines = text.trim().split('\n');
      expect(lines).toHaveLength(13);
      for (const line of lines.slice(0, -1))
        expect(line).toMatch(/not permitted|denied|No such file|Read-only/);
    });

    it('sees the abstract sockets of the machine only on its network', async () => {
      const listed = `grep -c ${socket} /proc/net/unix; true`;
      // Shared with the machine's network: the one thing that it gives away, as docs/security.md says.
      expect(await log(listed)).toBe('1\n');
      expect(await log(listed, '--network=none')).toBe('0\n');
    });

    it('does not change the kernel or the clock of the machine', async () => {
      const text = await log(
        'for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /sys/power/state; do [ -e $f ] && (echo x > $f) 2>&1 && echo WRITTEN; done; date -s @1 2>&1 | head -1; hostname x 2>&1; true',
      );
      expect(text).not.toContain('WRITTEN');
      expect(text).toMatch(/date: .*not permitted/);
      expect(text).toMatch(/hostname: .*not permitted/);
    });
  });

  it('no program of the image is run by the builder', async () => {
    const names = 'tar xz bzip2 unxz bunzip2 gzip git sh mount umount unshare setpriv chroot busybox node';
    const script = `#!/bin/sh\necho ran >> ${outside.path}/ran\necho ran >> /ran\n`;
    const programs = names.split(' ').flatMap((name) =>
      ['bin', 'usr/bin', 'sbin', 'usr/local/bin'].map((folder) => ({
        path: `${folder}/${name}`,
        content: script,
        mode: 0o755,
      })),
    );
    const tar = makeTar([{ path: 'inside', content: 'x' }]);
    const compressed = (name: string) => execFileSync(name, ['-c'], { input: tar });
    const files = {
      'image.tar': makeTar(programs),
      'a.tar.xz': compressed('xz'),
      'a.tar.bz2': compressed('bzip2'),
      'a.tar.gz': compressed('gzip'),
    };
    const dockerfile = `FROM scratch
ADD image.tar /
ENV PATH=/bin LD_PRELOAD=/bin/evil.so NODE_OPTIONS=--require=/bin/evil.js
ADD a.tar.xz /xz/
ADD a.tar.bz2 /bz2/
ADD a.tar.gz /gz/
COPY --chown=1:1 a.tar.gz /copied/
WORKDIR /bin
`;
    const { exitCode, stderr } = await store.build(dockerfile, {
      files,
    });
    expect(stderr).not.toContain('ran\n');
    expect(exitCode).toBe(0);
    expect((await topLayer(store, -3)).sort()).toEqual(['gz/', 'gz/inside']);
    await store.ok(['save', '-o', '/dev/null', 'test/built']);
    expect(existsSync(`${outside.path}/ran`)).toBe(false);
    expect(existsSync('/ran')).toBe(false);
    outside.expectUntouched();
  });

  it('the devices of the machine stay as they are', async () => {
    const stat = () =>
      ['null', 'zero', 'random', 'tty'].map((name) => {
        const { mode, uid, gid } = statSync(`/dev/${name}`);
        return `${name} ${mode} ${uid} ${gid}`;
      });
    const before = stat();
    for (const runtime of RUNTIMES) {
      await store.build(
        `${FROM}RUN chmod 600 /dev/null /dev/zero; chown 5 /dev/null; rm -f /dev/random; mv /dev/tty /dev/x; true\n`,
        { flags: ['--no-cache', '--runtime', runtime] },
      );
    }
    expect(stat()).toEqual(before);
    expect(readdirSync('/dev')).toContain('random');
  });
});
