import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, program, root } from '../../support/need.ts';

describeWith({ needs: [root(), program('gcc')] }, 'a RUN in an image of one static program', () => {
  const store = libraryStore();

  it('leaves nothing of its own in the layer', async () => {
    const folder = store.files({ 'main.c': 'int main(void) { return 0; }\n' });
    execFileSync('gcc', ['-static', '-o', join(folder, 'true'), join(folder, 'main.c')]);
    const secrets = { token: { value: 'secret' } };
    const built = await store.build(
      `FROM scratch
COPY true /true
RUN ["/true"]
RUN --mount=type=tmpfs,target=/a/b --mount=type=cache,target=/c/d --mount=type=secret,id=token \\
  --mount=target=/context --mount=source=true,target=/e/f ["/true"]
WORKDIR /work
RUN ["/true"]
`,
      { context: folder, secrets },
    );
    expect([0, 1, 2, 3, 4].map((index) => built.layer(index))).toEqual([['true'], [], [], ['work/'], []]);
    expect(built.config().history.some((entry) => entry.empty_layer)).toBe(false);
  });
});

describeWith({ needs: [root()] }, 'files of the network', () => {
  const store = libraryStore();
  const resolver = readFileSync('/etc/resolv.conf', 'utf8');
  const show = 'cat /etc/resolv.conf; echo --; cat /etc/hosts';
  const shown = `${resolver}--\n127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n`;

  it('are there in an image without them, and cannot be changed', async () => {
    const built = await store.build(`FROM ${BASE}
RUN ${show}
RUN (echo changed > /etc/resolv.conf) 2>/dev/null || (echo changed >> /etc/hosts) 2>/dev/null || echo refused
RUN ${show} # again
RUN ls /etc/hosts /etc/resolv.conf
FROM scratch
COPY --from=0 /etc/ /etc/
`);
    expect(built.log(`RUN ${show}`)).toBe(shown + shown);
    expect(built.log('echo changed')).toBe('refused\n');
    expect(built.layer(-1).filter((name) => /hosts|resolv/.test(name))).toEqual([]);
  });

  it('hide those of the image, which stay as they are', async () => {
    const built = await store.build(
      `FROM ${BASE}
COPY hosts resolv.conf /etc/
RUN ${show}
RUN --network=none cat /etc/hosts
FROM scratch
COPY --from=0 /etc/hosts /etc/resolv.conf /
`,
      { files: { hosts: 'own hosts\n', 'resolv.conf': 'own resolver\n' } },
    );
    expect(built.log(`RUN ${show}`)).toBe(shown);
    expect([built.file(-1, 'hosts'), built.file(-1, 'resolv.conf')]).toEqual([
      'own hosts\n',
      'own resolver\n',
    ]);
  });

  it('are there when the image has links in their place, whose ends stay', async () => {
    const built = await store.build(`FROM ${BASE}
COPY <<HOSTS /real/hosts
the link's end
HOSTS
RUN ["/bin/sh", "-c", "mkdir -p /links && ln -s ../real/hosts /links/hosts && ln -s /run/stub/resolv.conf /links/resolv.conf"]
FROM ${BASE}
COPY --from=0 /real /real
COPY --from=0 /links/ /etc/
RUN ${show}; readlink /etc/hosts; readlink /etc/resolv.conf; ls -A /run/stub
RUN cat /real/hosts
FROM scratch
COPY --from=1 / /
`);
    expect(built.log(`RUN ${show}`)).toBe(`${shown}../real/hosts\n/run/stub/resolv.conf\nresolv.conf\n`);
    expect(built.file(-1, 'real/hosts')).toBe("the link's end\n");
    expect(built.layer(-1).filter((name) => /^run|etc\/(hosts|resolv)/.test(name))).toEqual([
      'etc/hosts',
      'etc/resolv.conf',
    ]);
  });

  it('name the loopback, which is up without a network', async () => {
    const built = await store.build(`FROM ${BASE}
RUN --network=none cat /sys/class/net/lo/flags; ls /sys/class/net; (echo hello | nc -l -p 7777 &); until nc localhost 7777 2> /dev/null; do sleep 0.02; done
`);
    expect(built.log('--network=none')).toBe('0x9\nlo\nhello\n');
  });
});

describeWith({ needs: [root()] }, 'the layer of a RUN', () => {
  const store = libraryStore();

  it('holds exactly what changed', async () => {
    const built = await store.build(`FROM ${BASE}
RUN mkdir -p /tree/sub && echo a > /tree/a && echo b > /tree/sub/b && touch /tree/gone && mkdir -m 1777 /tree/sticky
RUN rm /tree/gone && echo c > /tree/c && chmod 4755 /tree/a && rm -r /tree/sub && mkdir /tree/sub && ln /tree/c /tree/hard && ln -s c /tree/soft && mkfifo /tree/fifo
`);
    expect(built.layer(-2).filter((name) => name !== 'etc/')).toEqual([
      'tree/',
      'tree/a',
      'tree/gone',
      'tree/sticky/',
      'tree/sub/',
      'tree/sub/b',
    ]);
    expect(built.layer(-1).filter((name) => name !== 'etc/')).toMatchInlineSnapshot(`
      [
        "tree/",
        "tree/a",
        "tree/c",
        "tree/fifo",
        "tree/.wh.gone",
        "tree/hard",
        "tree/soft",
        "tree/sub/",
        "tree/sub/.wh..wh..opq",
      ]
    `);
  });

  it('holds 20,000 files', async () => {
    const built = await store.build(`FROM ${BASE}
RUN mkdir /many && cd /many && i=0 && while [ $i -lt 200 ]; do mkdir d$i; j=0; while [ $j -lt 100 ]; do echo $i.$j > d$i/f$j; j=$((j+1)); done; i=$((i+1)); done
RUN find /many -type f | wc -l; cat /many/d199/f99
`);
    expect(built.log('RUN find')).toBe('20000\n199.99\n');
    expect(built.layer(-2).filter((name) => name.startsWith('many/'))).toHaveLength(1 + 200 + 20_000);
  });
});
