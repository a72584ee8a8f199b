import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findPeer } from '../../tools/peers.ts';
import { aptSource, makeDebianRootfs, writeAptConfiguration } from '../support/debian.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, peer, program, root } from '../support/need.ts';
import { slipway } from '../support/slipway.ts';

const DOCKERFILE = `FROM test/debian AS build
RUN --mount=type=bind,source=apt,target=/etc/apt \\
    apt-get update && \\
    apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY hello.c .
RUN gcc -O2 -static -o hello hello.c

FROM scratch
LABEL org.opencontainers.image.title="hello"
ENV GREETING=hello
COPY --from=build /src/hello /hello
USER 65534:65534
ENTRYPOINT ["/hello"]
CMD ["world"]
`;

const PROGRAM = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  printf("%s, %s, as %d\\n", getenv("GREETING"), argc > 1 ? argv[1] : "nobody", (int)getuid());
  return 7;
}
`;

/** From Debian's packages to a static program in an empty image, and from there to other tools. */
describeWith(
  { needs: [root(), program('mmdebstrap'), aptSource()] },
  'a compiler installed with apt-get',
  () => {
    const memory = suiteFolder('big');
    const shared = suiteFolder('shared');
    const options = () => ({ root: join(memory.path, 'store'), cwd: memory.path });
    const ok = (...args: string[]) => slipway(args, options());
    const archive = () => join(shared.path, 'hello.tar');

    beforeAll(async () => {
      const tar = join(memory.path, 'debian.tar');
      makeDebianRootfs(tar);
      await ok('import', tar, 'test/debian');
      const context = join(memory.path, 'context');
      mkdirSync(context);
      writeAptConfiguration(join(context, 'apt'));
      writeFileSync(join(context, 'hello.c'), PROGRAM);
      writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
      await ok('build', '-t', 'test/hello:1', '-t', 'test/hello:latest', context);
      await ok('build', '-t', 'test/compiler', '--target', 'build', context);
      await ok('save', '-o', archive(), 'test/hello:1');
    });

    it('makes a program that runs', async () => {
      const { runSlipway } = await import('../support/slipway.ts');
      expect(await runSlipway(['run', '--rm', 'test/hello'], options())).toEqual({
        stdout: 'hello, world, as 65534\n',
        stderr: '',
        exitCode: 7,
        signal: null,
      });
    });

    it("leaves the host's apt configuration out of the image", async () => {
      const shell = (script: string) => ok('run', '--rm', 'test/compiler', 'sh', '-c', script);
      expect(
        await shell(
          'ls -d /etc/apt/keyring.gpg /etc/apt/ca.crt /etc/apt/apt.conf.d/50host 2>&1 | grep -c "No such"',
        ),
      ).toBe('3\n');
      expect(await shell('test -d /etc/apt/apt.conf.d && ls -d /etc/apt/sources.list.d')).toBe(
        '/etc/apt/sources.list.d\n',
      );
    });

    it('leaves only the program in the result', async () => {
      const [image] = JSON.parse(await ok('inspect', 'test/hello')) as [
        { RootFS: { Layers: string[] }; Size: number },
      ];
      expect(image.RootFS.Layers.length).toBe(1);
      expect(image.Size).toBeLessThan(2_000_000);
      expect(statSync(archive()).size).toBeLessThan(3_000_000);
      expect((await ok('system', 'check')).toLowerCase()).not.toContain('error');
    });

    it('loads again from the archive', async () => {
      const other = { root: join(memory.path, 'other-store'), cwd: memory.path };
      expect(await slipway(['load', '-i', archive()], other)).toBe('Loaded image: test/hello:1\n');
      const id = async (store: typeof other) =>
        (JSON.parse(await slipway(['inspect', 'test/hello:1'], store)) as [{ Id: string }])[0].Id;
      expect(await id(other)).toBe(await id(options()));
    });

    describeWith({ needs: [program('skopeo'), program('umoci')] }, 'read by skopeo and umoci', () => {
      const tool = (name: string, ...args: string[]) =>
        execFileSync(name, args, { encoding: 'utf8', cwd: shared.path });

      it.each(['docker-archive', 'oci-archive'])('as %s', (transport) => {
        const image = JSON.parse(tool('skopeo', 'inspect', '--config', `${transport}:${archive()}`)) as {
          config: Record<string, unknown>;
        };
        expect(image.config).toMatchObject({
          Cmd: ['world'],
          Entrypoint: ['/hello'],
          Labels: { 'org.opencontainers.image.title': 'hello' },
          User: '65534:65534',
        });
      });

      it('and unpacked', () => {
        tool('skopeo', '--insecure-policy', 'copy', `oci-archive:${archive()}`, 'oci:layout:hello');
        tool('umoci', 'stat', '--image', 'layout:hello');
        tool('umoci', 'unpack', '--image', 'layout:hello', 'bundle');
        expect(tool('find', 'bundle/rootfs', '-mindepth', '1', '-printf', '%P %m %U:%G\\n')).toBe(
          'hello 755 0:0\n',
        );
      });
    });

    describeWith({ needs: [peer('docker')] }, 'run by a Docker engine', () => {
      it('after docker load', () => {
        const found = findPeer('docker');
        if ('missing' in found) throw new Error(found.missing);
        const [file, ...words] = found.command;
        const docker = (...args: string[]) =>
          execFileSync(file, [...words, ...args], { encoding: 'utf8', env: found.env });
        expect(docker('load', '-i', archive())).toContain('Loaded image: test/hello:1\n');
        try {
          expect(() => docker('run', '--rm', '--network=none', 'test/hello:1', 'engine')).toThrow(
            expect.objectContaining({ status: 7, stdout: 'hello, engine, as 65534\n' }),
          );
        } finally {
          docker('rmi', '-f', 'test/hello:1');
        }
      });
    });

    describe('built again', () => {
      it('runs nothing', async () => {
        const before = await ok('inspect', 'test/hello');
        await ok('build', '-t', 'test/hello', join(memory.path, 'context'));
        const id = (text: string) => (JSON.parse(text) as [{ RootFS: unknown }])[0].RootFS;
        expect(id(await ok('inspect', 'test/hello'))).toEqual(id(before));
      });
    });
  },
);
