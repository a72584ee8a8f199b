import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { isForwarded } from '../../../src/engine/ssh/messages.ts';
import { openSshSocket } from '../../../src/execute/run/ssh-socket.ts';
import type { WorkerHost } from '../../../src/execute/worker/host.ts';
import { loadSys } from '../../../src/sys/linux.ts';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, program, root } from '../../support/need.ts';
import { fingerprintOf, programFiles, testAgent } from '../../support/ssh.ts';

const SSH = 'ssh-base';
const needs = [root(), program('ssh-agent', 'openssh-client'), program('ssh-add', 'openssh-client')];

describeWith({ needs }, 'the ssh agent of a RUN', () => {
  const store = libraryStore();
  const agent = testAgent();
  beforeAll(async () => {
    const files = programFiles(['ssh-add', 'ssh-keygen']);
    await store.build(`FROM ${BASE}\nCOPY --chmod=755 . /\nRUN mkdir -p -m 1777 /tmp\n`, {
      files,
      tags: [SSH],
    });
  });
  const withAgent = () => ({ ssh: { default: [agent.socket] } });

  it('lists keys and signs, at a socket of its own with the owner and mode that are asked for', async () => {
    const built = await store.build(
      `FROM ${SSH}
RUN --mount=type=ssh ssh-add -l; echo $SSH_AUTH_SOCK; stat -c '%A %u:%g' $SSH_AUTH_SOCK
RUN --mount=type=ssh,mode=0660,uid=7,gid=8,target=/own/place stat -c '%A %u:%g' /own/place; echo $SSH_AUTH_SOCK
RUN --mount=type=ssh ssh-add -L > /tmp/key.pub; echo signed > /tmp/text; ssh-keygen -q -Y sign -n test -f /tmp/key.pub /tmp/text && head -1 /tmp/text.sig; ssh-add -D; ssh-add -l
WORKDIR /work
RUN --mount=type=ssh --mount=type=ssh --mount=type=ssh,target=relative ls /run/buildkit /work; SSH_AUTH_SOCK=/run/buildkit/ssh_agent.1 ssh-add -l
USER 7
RUN --mount=type=ssh,uid=7 ssh-add -l; echo as $(id -u)
RUN --mount=type=ssh ssh-add -l 2>&1; echo closed
ENV SSH_AUTH_SOCK=/elsewhere
RUN --mount=type=ssh echo $SSH_AUTH_SOCK
USER 0
RUN ls /run /own 2>&1 || true
`,
      withAgent(),
    );
    const logs = ['type=ssh ssh-add -l; echo $', '/own/place', 'head -1', 'relative ls', 'as $', 'closed'];
    expect(logs.map((title) => built.log(title).replaceAll(agent.fingerprint, 'KEY'))).toMatchInlineSnapshot(`
      [
        "256 KEY key (ED25519)
      /run/buildkit/ssh_agent.0
      srw------- 0:0
      ",
        "srw-rw---- 7:8
      /own/place
      ",
        "-----BEGIN SSH SIGNATURE-----
      Failed to remove all identities.
      256 KEY key (ED25519)
      ",
        "/run/buildkit:
      ssh_agent.0
      ssh_agent.1

      /work:
      relative
      256 KEY key (ED25519)
      ",
        "256 KEY key (ED25519)
      as 7
      ",
        "Error connecting to agent: Permission denied
      closed
      ",
      ]
    `);
    expect(built.log('ssh echo')).toBe('/elsewhere\n');
    expect(built.log('RUN ls /run')).toContain('/run: No such file');
    expect(built.layer(-1)).toEqual(['etc/']);
  });

  it('holds the keys that are given as files', async () => {
    const other = agent.makeKey('other');
    const built = await store.build(`FROM ${SSH}\nRUN --mount=type=ssh,id=keys ssh-add -l # keys\n`, {
      ssh: { keys: [agent.key, other] },
    });
    expect(built.log('# keys').match(/SHA256:\S+/g)).toEqual([agent.fingerprint, fingerprintOf(other)]);
    const closed = agent.makeKey('closed', 'a passphrase');
    await expect(
      store.build(`FROM ${SSH}\nRUN --mount=type=ssh echo passphrase\n`, { ssh: { default: [closed] } }),
    ).rejects.toMatchObject({
      code: 'SSH_KEY_INVALID',
      message: `failed to parse ${closed}: ssh: this private key is passphrase protected`,
      location: { range: { start: { line: 2 } } },
    });
    await expect(
      store.build(`FROM ${SSH}\nRUN --mount=type=ssh echo no key\n`, { ssh: { default: ['/etc/passwd'] } }),
    ).rejects.toMatchObject({
      code: 'SSH_KEY_INVALID',
      message: 'failed to parse /etc/passwd: ssh: no key found',
    });
    // The agents were told to end, and do a moment later.
    await vi.waitFor(
      () =>
        expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(
          join(tmpdir(), 'slipway-ssh-'),
        ),
      10_000,
    );
  });

  it.each([
    ['nothing at that path', ['/no/such/socket'], 'stat /no/such/socket: no such file or directory'],
    ['a directory', ['/'], 'failed to read /: it is neither a socket nor a file'],
  ])('is refused when there is %s', async (_, paths, message) => {
    const failed = store.build(`FROM ${SSH}\nRUN --mount=type=ssh true\n`, { ssh: { default: paths } });
    await expect(failed).rejects.toMatchObject({ message });
  });

  it('is refused as a socket with something else', async () => {
    const build = (paths: string[]) => store.build(`FROM ${SSH}\nRUN true\n`, { ssh: { default: paths } });
    await expect(build([agent.socket, agent.key])).rejects.toMatchObject({
      message: 'invalid combination of keys and sockets',
    });
    await expect(build([agent.socket, agent.socket])).rejects.toMatchObject({
      message: 'only single socket allowed',
    });
  });

  it('that is not given is skipped, or missed where it is required', async () => {
    const built = await store.build(`FROM ${BASE}
RUN --mount=type=ssh echo $SSH_AUTH_SOCK; ls /run/buildkit 2>/dev/null || echo none
RUN --mount=type=ssh,id=x,required=false ls /run/buildkit 2>/dev/null || echo none # x
`);
    expect([built.log('echo $SSH'), built.log('# x')]).toEqual([
      '/run/buildkit/ssh_agent.0\nnone\n',
      'none\n',
    ]);
    for (const [mount, id] of [
      ['required', 'default'],
      ['id=x,required=true', 'x'],
    ]) {
      const failed = store.build(`FROM ${BASE}\nRUN --mount=type=ssh,${mount} true\n`);
      await expect(failed).rejects.toMatchObject({
        message: `unset ssh forward key ${id}`,
        location: { range: { start: { line: 2 } } },
      });
    }
  });

  it('is out of reach for a step that runs beside and mounts none', async () => {
    const wait = 'n=0; while [ ! -e /meet/done ] && [ $n -lt 5000 ]; do sleep 0.02; n=$((n+1)); done';
    const built = await store.build(
      `FROM ${SSH} AS with
RUN --mount=type=ssh --mount=type=cache,target=/meet touch /meet/ready; ${wait}; rm -f /meet/done /meet/ready; ssh-add -l > /seen
FROM ${SSH} AS without
RUN --mount=type=cache,target=/meet n=0; while [ ! -e /meet/ready ] && [ $n -lt 5000 ]; do sleep 0.02; n=$((n+1)); done; find / -type s 2>/dev/null | tee /seen; grep -c ssh_agent /proc/net/unix >> /seen; touch /meet/done
FROM ${BASE}
COPY --from=with /seen /with
COPY --from=without /seen /without
`,
      { ...withAgent(), jobs: 2 },
    );
    expect(built.file(-2, 'with')).toContain(agent.fingerprint);
    expect(built.file(-1, 'without')).toBe('0\n');
  });

  it('is no part of the key but for its id, and leaves nothing in store, image and events', async () => {
    const dockerfile = `FROM ${SSH}\nRUN --mount=type=ssh ssh-add -l && echo mounted\n`;
    const built = await store.build(dockerfile, withAgent());
    expect(built.ran).toBe(1);
    const again = await store.build(dockerfile);
    expect(again.ran).toBe(0);
    const other = await store.build(dockerfile.replace('type=ssh', 'type=ssh,id=other'), {
      ssh: { other: [agent.socket] },
    });
    expect(other.ran).toBe(1);
    const key = readFileSync(agent.key, 'utf8').split('\n')[1]!;
    for (const secret of [key, agent.socket]) {
      expect(spawnSync('grep', ['-rlF', secret, store.folder]).stdout.toString()).toBe('');
      expect(JSON.stringify(built.events)).not.toContain(secret);
    }
    expect(spawnSync('find', [store.folder, '-type', 's']).stdout.toString()).toBe('');
  });

  it('takes what makes no sense for the end of a conversation, and goes on', async () => {
    const sys = loadSys();
    const asked: string[] = [];
    const mount = {
      type: 'ssh',
      id: 'x',
      target: '/a',
      required: true,
      mode: 0o600,
      uid: 0,
      gid: 0,
    } as const;
    const directory = join(store.empty(), 'socket');
    const ask = async (id: string, message: Uint8Array): Promise<Uint8Array> => {
      asked.push(`${id} ${Buffer.from(message).toString('hex')}`);
      return Buffer.from('answer');
    };
    const socket = await openSshSocket({ host: { sys } as WorkerHost, mount, directory, ask });
    const talk = async (hex: string): Promise<string> => {
      const client = connect(socket.path);
      client.write(Buffer.from(hex, 'hex'));
      const data: Buffer[] = [];
      client.on('data', (piece) => {
        data.push(piece);
        client.end();
      });
      await once(client, 'close');
      return Buffer.concat(data).toString('hex');
    };
    expect(await talk('ffffffff6a756e6b')).toBe('');
    expect(await talk('00000000')).toBe('');
    expect(await talk('000000010b')).toBe(`00000006${Buffer.from('answer').toString('hex')}`);
    socket.close();
    expect(asked).toEqual(['x 0b']);
    expect(isForwarded(Buffer.from([11])) && isForwarded(Buffer.from([13, 0]))).toBe(true);
    // Adding, removing and locking keys, extensions, and nothing at all.
    expect([[17], [18], [19], [22], [25], [27], []].some((bytes) => isForwarded(Buffer.from(bytes)))).toBe(
      false,
    );
  });
});
