import { expect, it } from 'vitest';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

describeWith({ needs: [root()] }, 'the process of a RUN', () => {
  const store = libraryStore();

  it('gets its command as written', async () => {
    const built = await store.build(`FROM ${BASE}
RUN echo  "two  blanks" \\
  $((1 + 1)); echo one
RUN ["/bin/sh", "-c", "echo $0 \\"$1\\"", "zero", "a  b"]
RUN <<EOF
echo two
printf lines
EOF
RUN cat <<EOF1 && cat <<-EOF2
	first
EOF1
	second
	EOF2
RUN <<NAMED
#!/bin/cat
of the interpreter
NAMED
SHELL ["/bin/sh", "-uec"]
RUN echo shell $0; echo $-
`);
    expect(built.log('RUN echo  "two')).toBe('two  blanks 2\none\n');
    expect(built.log('["/bin/sh"')).toBe('zero a  b\n');
    expect(built.log('RUN <<EOF')).toBe('two\nlines');
    expect(built.log('RUN cat <<EOF1')).toBe('\tfirst\nsecond\n');
    expect(built.log('RUN <<NAMED')).toBe('#!/bin/cat\nof the interpreter\n');
    expect(built.log('RUN echo shell')).toMatch(/^shell \/bin\/sh\n(?=.*e).*u/);
  });

  it('finds scripts of heredocs executable and not to be changed, only while it runs', async () => {
    const built = await store.build(`FROM ${BASE}
RUN <<SCRIPT
#!/bin/sh
stat -c '%n %A %u:%g' $0; (echo changed > $0) 2>&1 || echo refused; touch /dev/pipes/x 2>&1 || echo refused
SCRIPT
RUN ls -d /dev/pipes 2>/dev/null || echo none
`);
    expect(built.log('<<SCRIPT')).toMatchInlineSnapshot(`
      "/dev/pipes/SCRIPT -rwxr-xr-x 0:0
      /dev/pipes/SCRIPT: line 2: can't create /dev/pipes/SCRIPT: Read-only file system
      refused
      touch: /dev/pipes/x: Read-only file system
      refused
      "
    `);
    expect(built.log('ls -d')).toBe('none\n');
    // The directory that the mount points were made in shows in the layer, as it does in Docker's.
    expect([built.layer(-2), built.layer(-1)]).toEqual([['etc/'], ['etc/']]);
  });

  it('sees exactly its environment', async () => {
    const built = await store.build(
      `FROM ${BASE}
ENV A=1 B="two words"
ARG GIVEN
ARG DEFAULT=default
ARG UNSET
ENV A=2
RUN ["/bin/env"]
FROM scratch
COPY --from=0 /bin /bin
USER 1234
RUN ["/bin/env"]
ENV HOME=/elsewhere PATH=/bin
RUN ["env"]
`,
      {
        buildArgs: { GIVEN: 'given', HTTP_PROXY: 'http://proxy' },
        env: { PATH: process.env.PATH!, LEAK: 'x' },
      },
    );
    expect(built.log('RUN ["/bin/env"]')).toMatchInlineSnapshot(`
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
      B=two words
      GIVEN=given
      DEFAULT=default
      A=2
      HTTP_PROXY=http://proxy
      http_proxy=http://proxy
      HOME=/root
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
      HTTP_PROXY=http://proxy
      http_proxy=http://proxy
      HOME=/
      "
    `);
    expect(built.log('RUN ["env"]')).toMatchInlineSnapshot(`
      "HOME=/elsewhere
      PATH=/bin
      HTTP_PROXY=http://proxy
      http_proxy=http://proxy
      "
    `);
  });

  it('has no input, a host name, its working directory, and nothing else open', async () => {
    const built = await store.build(`FROM ${BASE}
WORKDIR /made/for/it
RUN cat; readlink /proc/self/fd/0; hostname; cat /proc/sys/kernel/hostname; pwd; ls /proc/self/fd | wc -l
WORKDIR relative
RUN pwd
RUN rm -r /made
RUN pwd
`);
    expect(built.log('RUN cat')).toMatchInlineSnapshot(`
      "/dev/null
      buildkitsandbox
      buildkitsandbox
      /made/for/it
      4
      "
    `);
    expect(built.log('RUN pwd')).toBe('/made/for/it/relative\n/made/for/it/relative\n');
  });

  it('runs as USER says', async () => {
    const ids =
      "RUN grep -E '^(Uid|Gid|Groups)' /proc/self/status | sed 's/\\t[0-9]*\\t[0-9]*\\t[0-9]*$//' | tr '\\n\\t' '  '; echo HOME=$HOME";
    const users = [
      'named',
      'named:other',
      'named:77',
      '1234',
      '1234:5678',
      '1001',
      '1001:other',
      '0',
      'root',
      '$ARGUED',
    ];
    const built = await store.build(`FROM ${BASE}
RUN echo 'named:x:1001:1002::/home/named:/bin/sh' >> /etc/passwd && echo 'named:x:1002:' >> /etc/group && echo 'other:x:2000:someone,named' >> /etc/group
ARG ARGUED=named:2001
${users.map((user, index) => `USER ${user}\n${ids} user-${index}.`).join('\n')}
`);
    const seen = users.map((user, index) => `${user}: ${built.log(`user-${index}.`).trim()}`);
    expect(seen).toMatchInlineSnapshot(`
      [
        "named: Uid: 1001 Gid: 1002 Groups: 1002 2000  HOME=/home/named user-0.",
        "named:other: Uid: 1001 Gid: 2000 Groups: 2000  HOME=/home/named user-1.",
        "named:77: Uid: 1001 Gid: 77 Groups: 77  HOME=/home/named user-2.",
        "1234: Uid: 1234 Gid: 0 Groups: 0  HOME=/ user-3.",
        "1234:5678: Uid: 1234 Gid: 5678 Groups: 5678  HOME=/ user-4.",
        "1001: Uid: 1001 Gid: 1002 Groups: 1002 2000  HOME=/home/named user-5.",
        "1001:other: Uid: 1001 Gid: 2000 Groups: 2000  HOME=/home/named user-6.",
        "0: Uid: 0 Gid: 0 Groups: 0  HOME=/root user-7.",
        "root: Uid: 0 Gid: 0 Groups: 0  HOME=/root user-8.",
        "$ARGUED: Uid: 1001 Gid: 2001 Groups: 2001  HOME=/home/named user-9.",
      ]
    `);
  });

  it('takes what it left running with it', async () => {
    const mark = `slipway-test-${process.pid}`;
    const built = await store.build(`FROM ${BASE}
RUN (setsid sh -c 'trap "" TERM HUP INT; echo ${mark} > /proc/self/comm; while :; do sleep 0.05; echo alive >> /alive; done' >/dev/null 2>&1 &) ; while [ ! -s /alive ]; do sleep 0.01; done
RUN a=$(wc -l < /alive); sleep 0.3; b=$(wc -l < /alive); [ $a = $b ] && echo dead
`);
    expect(built.log('RUN a=')).toBe('dead\n');
  });
});
