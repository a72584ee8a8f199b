import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCdiDevices } from '../../../src/execute/run/cdi-specs.ts';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

const kind = `slipway.test/t${process.pid}`;
const spec = {
  cdiVersion: '0.6.0',
  kind,
  annotations: { 'org.mobyproject.buildkit.device.class': `class-${process.pid}` },
  containerEdits: { env: ['COMMON=common'] },
  devices: [
    {
      name: 'first',
      containerEdits: {
        env: ['DEVICE=first'],
        deviceNodes: [{ path: '/dev/own-zero', hostPath: '/dev/zero' }],
        mounts: [{ hostPath: '/proc/version', containerPath: '/opt/version', options: ['ro', 'bind'] }],
      },
    },
    {
      name: 'second',
      containerEdits: {
        deviceNodes: [{ path: '/dev/full' }, { path: '/dev/own-full', hostPath: '/dev/full' }],
      },
    },
    { name: 'hooked', containerEdits: { hooks: [{ hookName: 'createContainer', path: '/bin/true' }] } },
    { name: 'absent', containerEdits: { deviceNodes: [{ path: '/dev/no-such-device' }] } },
  ],
};

describeWith({ needs: [root()] }, 'devices of a RUN', () => {
  const store = libraryStore();
  // Where such specifications are looked for; this one names devices that nobody else has.
  const path = `/var/run/cdi/slipway-test-${process.pid}.json`;
  beforeAll(() => {
    mkdirSync('/var/run/cdi', { recursive: true });
    writeFileSync(path, JSON.stringify(spec));
  });
  afterAll(() => rmSync(path, { force: true }));
  const run = (flags: string, command: string, allow: string[]) =>
    store.build(`FROM ${BASE}\nRUN ${flags} ${command} # run\n`, { allow });

  it.each(['embedded', 'auto'] as const)(
    'are there with what a specification says, with --runtime=%s',
    async (runtime) => {
      const script =
        'head -c 4 /dev/own-zero | od -An -tx1; echo $COMMON $DEVICE; wc -l < /opt/version; ls /dev/own-full 2>/dev/null';
      const built = await store.build(
        `FROM ${BASE}\nRUN --device=${kind}=first,required ${script}; echo ${runtime}\nRUN ls /opt /dev/own-zero 2>&1; echo after ${runtime}\n`,
        { allow: [`device=${kind}=first`], runtime },
      );
      expect(built.log(`echo ${runtime}`)).toBe(` 00 00 00 00\ncommon first\n1\n${runtime}\n`);
      expect(built.log(`after ${runtime}`)).toContain('/dev/own-zero: No such file');
      expect(built.layer(-1)).not.toContain('opt/version');
    },
  );

  it('are found by kind, all of a kind, and by class', async () => {
    const list = 'ls /dev | grep own | tr "\\n" " "; true';
    expect(
      (await run(`--device=${kind}`, 'echo unused', [`device=${kind}`]).catch((e) => e)).message,
    ).toContain('absent');
    const second = await run(`--device=${kind}=second`, list, ['device']);
    expect(second.log('# run')).toBe('own-full ');
    await expect(run(`--device=class-${process.pid}`, list, ['device'])).rejects.toMatchObject({
      code: 'DEVICE_UNSUPPORTED',
    });
  });

  it('need the entitlement', async () => {
    for (const allow of [[], ['network.host'], [`device=${kind}=second`]]) {
      await expect(run(`--device=${kind}=first`, 'true', allow)).rejects.toMatchObject({
        kind: 'denied',
        message: `device ${kind}=first is requested by the build but not allowed`,
        location: { range: { start: { line: 2 } } },
      });
    }
  });

  it.each([
    ['hooked', 'its specification asks for programs of this machine (hooks)'],
    ['absent', '/dev/no-such-device is no device of this machine'],
  ])('that cannot be had say why: %s', async (name, why) => {
    await expect(run(`--device=${kind}=${name}`, 'true', ['device'])).rejects.toMatchObject({
      message: `device ${kind}=${name} cannot be given to a step: ${why}`,
    });
  });

  it('are refused by name where only a specification in YAML has them', async () => {
    const yaml = path.replace('.json', '.yaml');
    writeFileSync(yaml, `cdiVersion: 0.6.0\nkind: ${kind}-yaml\ndevices:\n  - name: one\n`);
    try {
      await expect(run(`--device=${kind}-yaml=one`, 'true', ['device'])).rejects.toMatchObject({
        code: 'DEVICE_SPEC_YAML',
        message: `device "${kind}-yaml=one" seems to be described by ${yaml}, and specifications in YAML are not read`,
      });
    } finally {
      rmSync(yaml);
    }
  });

  it('are read from the later directory, and no further than makes sense', () => {
    const [low, high] = ['low-', 'high-'].map((name) => mkdtempSync(join(store.empty(), name))) as [
      string,
      string,
    ];
    const write = (directory: string, name: string, value: unknown): void =>
      writeFileSync(join(directory, name), typeof value === 'string' ? value : JSON.stringify(value));
    const one = (path: string) => ({
      kind: 'a/b',
      devices: [{ name: 'c', containerEdits: { deviceNodes: [{ path }] } }],
    });
    write(low, 'x.json', one('/low'));
    write(low, 'y.yaml', 'kind: a/b');
    write(high, 'x.json', one('/high'));
    const { devices, unread } = readCdiDevices([low, high, '/no/such/directory']);
    expect(devices.map(({ name, edits }) => [name, edits[0]!.deviceNodes])).toEqual([
      ['a/b=c', [{ path: '/high', hostPath: '/high' }]],
    ]);
    expect(unread.map((spec) => spec.path)).toEqual([join(low, 'y.yaml')]);
    for (const bad of [
      'no json',
      [],
      { kind: 'a/b', devices: [{}] },
      { kind: 1, devices: [{ name: 'x' }] },
    ]) {
      write(high, 'bad.json', bad);
      expect(() => readCdiDevices([high])).toThrow(/is no CDI specification/);
    }
  });
});
