import { describe, expect, test } from 'vitest';
import { buildImageConfig, type ImageParts } from '../../src/image/build-config.ts';
import { parseImageConfig } from '../../src/image/parse-config.ts';

const D1 = `sha256:${'1'.repeat(64)}`;
const D2 = `sha256:${'2'.repeat(64)}`;
const NOW = 1_700_000_000_123_456_789n;

function build(parts: Partial<ImageParts>): string {
  const document = buildImageConfig({
    platform: { os: 'linux', architecture: 'amd64' },
    config: {},
    history: [],
    diffIds: [],
    nowNs: NOW,
    ...parts,
  });
  parseImageConfig(document.bytes);
  return document.bytes.toString('utf8');
}

const times = (json: string) => {
  const config = JSON.parse(json) as { created: string; history: { created: string }[] };
  return [config.created, ...config.history.map((entry) => entry.created)];
};

describe('buildImageConfig', () => {
  test('writes the bytes that BuildKit writes', () => {
    // Taken from a build by Docker 26.1: order of members, escapes, left-out empty members.
    const json = build({
      config: {
        Labels: { x: 'y', 'io.buildah.version': '1.39.3' },
        WorkingDir: '/',
        Cmd: ['/bin/sh'],
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=b'],
        Volumes: {},
        OnBuild: [],
        User: '',
      },
      diffIds: [D1, D2],
      history: [
        { created: '2026-11-21T02:19:49.305192204Z', created_by: '/bin/sh' },
        {
          created: '2026-11-21T02:37:27.809038699Z',
          created_by: 'RUN /bin/sh -c echo hi > /hi && ln /hi /ho # buildkit',
          comment: 'buildkit.dockerfile.v0',
        },
        { created_by: 'ENV A=b', comment: 'buildkit.dockerfile.v0', empty_layer: true },
      ],
    });
    expect(json).toBe(
      `{"architecture":"amd64","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=b"],"Cmd":["/bin/sh"],"WorkingDir":"/","Labels":{"io.buildah.version":"1.39.3","x":"y"}},"created":"2026-11-21T02:37:27.809038699Z","history":[{"created":"2026-11-21T02:19:49.305192204Z","created_by":"/bin/sh"},{"created":"2026-11-21T02:37:27.809038699Z","created_by":"RUN /bin/sh -c echo hi \\u003e /hi \\u0026\\u0026 ln /hi /ho # buildkit","comment":"buildkit.dockerfile.v0"},{"created":"2026-11-21T02:37:27.809038699Z","created_by":"ENV A=b","comment":"buildkit.dockerfile.v0","empty_layer":true}],"os":"linux","rootfs":{"type":"layers","diff_ids":["${D1}","${D2}"]}}`,
    );
  });

  test('every member of a config, in order', () => {
    const json = build({
      platform: { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '1' },
      author: 'me',
      config: {
        Shell: ['/bin/bash', '-c'],
        OnBuild: ['RUN x'],
        Healthcheck: { Retries: 3, Test: ['CMD', 'x'], Interval: 1_000_000_000 },
        ArgsEscaped: true,
        StopSignal: 'SIGTERM',
        Labels: { b: '2', a: '1' },
        WorkingDir: '/w',
        Volumes: { '/v': {}, '/a': {} },
        Cmd: ['c'],
        Entrypoint: ['e'],
        Env: ['B=1', 'A=2'],
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        User: 'u',
      },
    });
    expect(json).toMatchInlineSnapshot(
      `"{"architecture":"arm","author":"me","config":{"User":"u","ExposedPorts":{"53/udp":{},"80/tcp":{}},"Env":["B=1","A=2"],"Entrypoint":["e"],"Cmd":["c"],"Volumes":{"/a":{},"/v":{}},"WorkingDir":"/w","Labels":{"a":"1","b":"2"},"StopSignal":"SIGTERM","ArgsEscaped":true,"Healthcheck":{"Test":["CMD","x"],"Interval":1000000000,"Retries":3},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"]},"created":"2023-11-14T22:13:20.123456789Z","os":"linux","os.version":"1","rootfs":{"type":"layers","diff_ids":[]},"variant":"v7"}"`,
    );
  });

  test("a metadata line before the first new layer takes that layer's time, one after it the same", () => {
    const json = build({
      diffIds: [D1, D2],
      history: [
        { created: '2020-01-01T00:00:00Z' },
        { empty_layer: true, created_by: 'ENV' },
        { created: '2021-01-01T00:00:00Z' },
        { empty_layer: true },
      ],
    });
    expect(times(json)).toEqual([
      '2021-01-01T00:00:00Z',
      '2020-01-01T00:00:00Z',
      '2021-01-01T00:00:00Z',
      '2021-01-01T00:00:00Z',
      '2021-01-01T00:00:00Z',
    ]);
  });

  test('SOURCE_DATE_EPOCH: nothing is later, older times stay, created is the epoch', () => {
    const json = build({
      diffIds: [D1, D2],
      history: [{ created: '1999-01-01T00:00:00+02:00' }, { created: '2021-01-01T00:00:00Z' }],
      epochNs: 1_000_000_000_000_000_000n,
    });
    expect(times(json)).toEqual([
      '2001-09-09T01:46:40Z',
      '1999-01-01T00:00:00+02:00',
      '2001-09-09T01:46:40Z',
    ]);
  });

  test('history lines up with the layers, whatever the base had', () => {
    const aligned = (diffIds: string[], history: ImageParts['history']) =>
      (
        JSON.parse(build({ diffIds, history })) as {
          history: { empty_layer?: boolean; created_by?: string }[];
        }
      ).history.map((entry) => `${entry.created_by ?? '-'}${entry.empty_layer === true ? ' empty' : ''}`);
    expect(aligned([D1, D2], [{ created_by: 'a' }])).toEqual(['-', 'a']);
    expect(aligned([D1], [{ created_by: 'a' }, { created_by: 'b' }])).toEqual(['a empty', 'b']);
  });
});
