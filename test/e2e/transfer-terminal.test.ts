import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { Terminal } from '../progress/terminal.ts';
import { proxiedRegistry } from '../registry/proxied-registry.ts';
import { REGISTRY_NEEDS } from '../registry/servers.ts';
import { leftovers } from '../support/leftovers.ts';
import { describeWith, program } from '../support/need.ts';
import { suiteStore } from '../support/suite-store.ts';
import { slipwayOnTerminal, type TerminalOptions } from '../support/terminal.ts';

describeWith({ needs: [...REGISTRY_NEEDS, program('python3')] }, 'pull and push on a terminal', () => {
  const store = suiteStore();
  const place = proxiedRegistry();
  const name = (): string => `${place.proxy.host}/term:1`;
  let id = '';

  beforeAll(async () => {
    const files: Record<string, string | Buffer> = {
      Dockerfile: 'FROM scratch\nCOPY a /a\nCOPY b /b\nCOPY c /c\n',
    };
    for (const file of ['a', 'b', 'c']) files[file] = randomBytes(3 << 20);
    const context = store.context('on-terminal', files);
    id = (await store.ok(['build', '-q', '-t', name(), context])).trim();
    await store.ok(['push', '-q', name()]);
  });

  interface Shown {
    screen: string;
    raw: string;
    exitCode: number;
    modes: [echo: boolean, canonical: boolean];
  }
  const onTerminal = async (
    args: readonly string[],
    { columns = 100, rows = 30, root = place.root, ...options }: Partial<TerminalOptions> = {},
  ): Promise<Shown> => {
    const result = await slipwayOnTerminal(args, { ...options, columns, rows, root });
    expect(result.left).toEqual([]);
    const terminal = new Terminal(columns, rows);
    terminal.write(result.output);
    const seen: string[] = [];
    const screen = terminal
      .screen()
      .replaceAll(place.proxy.host, 'HOST')
      .replace(/\b[0-9a-f]{12}\b/g, (layer) => {
        if (!seen.includes(layer)) seen.push(layer);
        return `layer-${seen.indexOf(layer)}`;
      })
      .replace(/sha256:[0-9a-f]*/g, 'DIGEST')
      .replace(/size: \d+/, 'size: N');
    const { output: raw, exitCode, echo, canonical } = result;
    return { screen, raw, exitCode, modes: [echo, canonical] };
  };

  test('a line for each layer, drawn again', async () => {
    const pulled = await onTerminal(['pull', name()]);
    expect(pulled.exitCode).toBe(0);
    expect(pulled.screen).toMatchInlineSnapshot(`
      "1: Pulling from term
      layer-0: Pull complete
      layer-1: Pull complete
      layer-2: Pull complete
      Digest: DIGEST
      Status: Downloaded newer image for HOST/term:1
      HOST/term:1"
    `);
    // As Docker moves the cursor, and the amounts on the way.
    expect(pulled.raw).toMatch(/\r\n\x1b\[1A\x1b\[2K\r[0-9a-f]{12}: Pulling fs layer \r\x1b\[1B/);
    expect(pulled.raw).toMatch(/: Downloading +\d+(?:\.\d+)?[kM]?B\/3\.\d+MB\r/);
    const target = `${place.proxy.host}/pushed:1`;
    await store.ok(['tag', name(), target]);
    const pushed = await onTerminal(['push', target], { root: store.root, columns: 120 });
    expect(pushed.screen).toMatchInlineSnapshot(`
      "The push refers to repository [HOST/pushed]
      layer-0: Mounted from term
      layer-1: Mounted from term
      layer-2: Mounted from term
      1: digest: DIGEST size: N"
    `);
    const again = await onTerminal(['push', target], { root: store.root });
    expect(again.screen).toMatchInlineSnapshot(`
      "The push refers to repository [HOST/pushed]
      layer-0: Layer already exists
      layer-1: Layer already exists
      layer-2: Layer already exists
      1: digest: DIGEST size: N"
    `);
    const anew = await store.run([
      'build',
      '-q',
      '--no-cache',
      '-t',
      target,
      store.context('anew', { Dockerfile: 'FROM scratch\nCOPY d /d\n', d: randomBytes(3 << 20) }),
    ]);
    expect(anew.exitCode).toBe(0);
    const wide = await onTerminal(['push', target], { root: store.root, columns: 120 });
    expect(wide.raw).toMatch(/: Pushing \[=*>? *\] {2}\S+\/3\.\d+MB\r/);
  });

  test('a narrow terminal, a low one, and one without UTF-8', async () => {
    const narrow = await onTerminal(['pull', name()], { columns: 24, env: { LC_ALL: 'C', LANG: 'C' } });
    expect(narrow.exitCode).toBe(0);
    // Every layer has one line, whatever is too long.
    expect(narrow.screen.split('\n').filter((line) => line.startsWith('layer-'))).toEqual(
      [0, 1, 2].map((layer) => `layer-${layer}: Pull comp`),
    );
    expect(narrow.raw).toMatch(/^[\x00-\x7f]*$/);
    const low = await onTerminal(['pull', '--platform=linux/amd64', name()], {
      rows: 3,
      root: `${place.root}-low`,
    });
    expect(low.screen).toMatchInlineSnapshot(`
      "Status: Downloaded newer image for HOST/term:1
      HOST/term:1"
    `);
  });

  test('Ctrl-C in a pull: nothing of it is left, and the next one is right', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    place.proxy.gate = ({ method, url }) =>
      method === 'GET' && url.includes('/blobs/') && !url.endsWith(id) ? promise : undefined;
    const stopped = await onTerminal(['pull', name()], {
      steps: [{ expect: 'Pulling fs layer' }, { send: '\x03' }],
    });
    resolve();
    place.proxy.gate = () => undefined;
    expect([stopped.exitCode, stopped.modes]).toEqual([130, [true, true]]);
    expect(await leftovers(place.root)).toEqual([]);
    const at = ['--root', place.root];
    expect(await store.ok([...at, 'images', '-q'])).toBe('');
    expect(await store.ok([...at, 'system', 'check'])).toMatch(/^The store is whole/);
    await store.ok([...at, 'pull', '-q', name()]);
    expect((await store.ok([...at, 'images', '-q', '--no-trunc'])).trim()).toBe(id);
  });

  test('Ctrl-C in a push: no name for it there, and the next one is right', async () => {
    const target = `${place.proxy.host}/stopped:1`;
    const context = store.context('stopped', {
      Dockerfile: 'FROM scratch\nCOPY e /e\n',
      e: randomBytes(3 << 20),
    });
    await store.ok(['build', '-q', '-t', target, context]);
    const { promise, resolve } = Promise.withResolvers<void>();
    place.proxy.gate = ({ method }) => (method === 'PATCH' ? promise : undefined);
    const stopped = await onTerminal(['push', target], {
      root: store.root,
      steps: [{ expect: 'Pushing' }, { send: '\x03' }],
    });
    resolve();
    place.proxy.gate = () => undefined;
    expect([stopped.exitCode, stopped.modes]).toEqual([130, [true, true]]);
    expect(await place.client.getManifest('stopped', '1')).toBeUndefined();
    expect(await leftovers(store.root)).toEqual([]);
    await store.ok(['push', '-q', target]);
    expect(await place.client.getManifest('stopped', '1')).toBeDefined();
    expect(await store.ok(['system', 'check'])).toMatch(/^The store is whole/);
  });
});
