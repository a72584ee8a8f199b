import { describe, expect, test } from 'vitest';
import { buildIndex, buildManifest } from '../../src/image/build-manifest.ts';
import { chainId, digestOf } from '../../src/image/digest.ts';
import { historyRows } from '../../src/image/history.ts';
import { inspectImage } from '../../src/image/inspect.ts';
import { parseImageConfig } from '../../src/image/parse-config.ts';
import { parseIndex, parseManifest } from '../../src/image/parse-manifest.ts';
import { formatTime, nowNs, parseEpoch, parseTime } from '../../src/image/time.ts';
import type { ImageConfig } from '../../src/image/types.ts';

const D1 = `sha256:${'1'.repeat(64)}`;
const D2 = `sha256:${'2'.repeat(64)}`;

function outcome(body: () => unknown): string {
  try {
    return JSON.stringify(body());
  } catch (error) {
    const { kind, code, message } = error as { kind: string; code: string; message: string };
    return `${kind} ${code}: ${message}`;
  }
}

describe('documents from outside', () => {
  const config = (change: object) =>
    outcome(() =>
      parseImageConfig(
        Buffer.from(
          JSON.stringify({
            architecture: 'amd64',
            os: 'linux',
            rootfs: { type: 'layers', diff_ids: [] },
            ...change,
          }),
        ),
      ),
    );

  test.each([
    ['nulls as Go writes them', { config: { Env: null, Cmd: null, Volumes: null }, history: null }],
    ['no config', {}],
    ['unknown members', { docker_version: '26', config: { Hostname: 'x', User: 'u' } }],
  ])('config: %s is read', (_, change) => {
    expect(config(change)).toMatch(/^\{"architecture":"amd64"/);
  });

  test('configs that make no sense are refused with the place', () => {
    const rows = [
      config({ rootfs: null }),
      config({ rootfs: { diff_ids: ['sha256:../../etc/passwd'] } }),
      config({ rootfs: { diff_ids: [D1.toUpperCase()] } }),
      config({ config: { Env: ['A=1', 2] } }),
      config({ config: { Labels: { a: {} } } }),
      config({ config: [] }),
      config({ created: 'yesterday' }),
      config({ history: [{ created_by: 1 }] }),
      config({ config: { Healthcheck: { Interval: 'x' } } }),
      outcome(() => parseImageConfig(Buffer.from('[1]'))),
      outcome(() => parseImageConfig(Buffer.from('{"a":"\xff"}', 'latin1'))),
      outcome(() => parseImageConfig(Buffer.alloc(9 << 20))),
      outcome(() => parseImageConfig(Buffer.from('['.repeat(4_000_000)))),
    ];
    expect(rows.join('\n')).toMatchInlineSnapshot(`
      "invalid DOCUMENT_INVALID: image config.rootfs is not an object
      invalid DOCUMENT_INVALID: image config.rootfs.diff_ids[0] is not a sha256 digest
      invalid DOCUMENT_INVALID: image config.rootfs.diff_ids[0] is not a sha256 digest
      invalid DOCUMENT_INVALID: image config.config.Env[1] is not a text
      invalid DOCUMENT_INVALID: image config.config.Labels.a is not a text
      invalid DOCUMENT_INVALID: image config.config is not an object
      invalid DOCUMENT_INVALID: image config.created is not an RFC 3339 time
      invalid DOCUMENT_INVALID: image config.history[0].created_by is not a text
      invalid DOCUMENT_INVALID: image config.config.Healthcheck.Interval is not a whole number
      invalid DOCUMENT_INVALID: image config is not an object
      invalid DOCUMENT_INVALID: image config is not JSON
      exhausted DOCUMENT_TOO_LARGE: image config is larger than the limit of 8388608 bytes
      invalid DOCUMENT_INVALID: image config is not JSON"
    `);
  });

  test('a label called __proto__ is a label', () => {
    const parsed = parseImageConfig(
      Buffer.from(
        '{"os":"linux","architecture":"a","rootfs":{"diff_ids":[]},"config":{"Labels":{"__proto__":"x"}}}',
      ),
    );
    expect(Object.entries(parsed.config.Labels!)).toEqual([['__proto__', 'x']]);
  });

  test('manifests and indexes', () => {
    const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: D1, size: 3 };
    const manifest = buildManifest({ digest: D1, size: 3 }, [
      { size: 5, digest: D2, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
    ]);
    expect(manifest.bytes.toString()).toBe(
      `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"${D1}","size":3},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"${D2}","size":5}]}`,
    );
    expect(digestOf(manifest.bytes)).toBe(manifest.digest);
    expect(parseManifest(manifest.bytes).layers[0]!.digest).toBe(D2);
    const index = buildIndex([
      { ...descriptor, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    ]);
    expect(parseIndex(index.bytes).manifests[0]!.platform).toEqual({
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
    });
    const bad = (value: object, parse: (bytes: Buffer) => unknown = parseManifest) =>
      outcome(() => parse(Buffer.from(JSON.stringify(value))));
    expect(
      [
        bad({ schemaVersion: 1 }),
        bad({ schemaVersion: 2, config: descriptor, layers: [], manifests: [] }),
        bad({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', config: descriptor }),
        bad({ schemaVersion: 2, config: { ...descriptor, size: -1 }, layers: [] }),
        bad({ schemaVersion: 2, config: { ...descriptor, digest: 'md5:1' }, layers: [] }),
        bad({ schemaVersion: 2, manifests: [{ ...descriptor, annotations: { a: 1 } }] }, parseIndex),
      ].join('\n'),
    ).toMatchInlineSnapshot(`
      "invalid DOCUMENT_INVALID: image manifest has schemaVersion 1, not 2
      invalid DOCUMENT_INVALID: image manifest is an index and a manifest at once
      invalid DOCUMENT_INVALID: image manifest has the media type "application/vnd.oci.image.index.v1+json"
      invalid DOCUMENT_INVALID: image manifest.config.size is not a whole number
      invalid DOCUMENT_INVALID: image manifest.config.digest is not a sha256 digest
      invalid DOCUMENT_INVALID: image index.manifests[0].annotations.a is not a text"
    `);
  });
});

test('chain ids are those of the specification', () => {
  expect(chainId([])).toBeUndefined();
  expect(chainId([D1])).toBe(D1);
  expect(chainId([D1, D2])).toBe(digestOf(`${D1} ${D2}`));
});

test('times', () => {
  expect(formatTime(0n)).toBe('1970-01-01T00:00:00Z');
  expect(formatTime(1_700_000_000_120_000_000n)).toBe('2023-11-14T22:13:20.12Z');
  expect(formatTime(-1n)).toBe('1969-12-31T23:59:59.999999999Z');
  expect(parseTime('2023-11-14T23:13:20.12+01:00')).toBe(1_700_000_000_120_000_000n);
  expect(parseTime('0001-01-01T00:00:00Z')).toBe(-62_135_596_800_000_000_000n);
  expect(parseTime('2023-11-14')).toBeUndefined();
  for (const text of ['1969-12-31T23:59:59.999999999Z', '2262-04-12T00:00:00.000000001Z']) {
    expect(formatTime(parseTime(text)!)).toBe(text);
  }
  const first = nowNs();
  expect(nowNs()).toBeGreaterThanOrEqual(first);
  expect(parseEpoch('12')).toBe(12_000_000_000n);
  expect(parseEpoch('')).toBeUndefined();
  expect(() => parseEpoch('1.5')).toThrow('invalid SOURCE_DATE_EPOCH: 1.5');
});

const IMAGE: ImageConfig = {
  created: '2026-01-02T00:00:00Z',
  architecture: 'amd64',
  os: 'linux',
  config: { Env: ['A=b'], Cmd: ['/bin/sh'], Labels: { b: '1', a: '2' } },
  rootfs: { type: 'layers', diff_ids: [D1, D2] },
  history: [
    { created: '2026-01-01T00:00:00Z', created_by: 'one' },
    { created_by: 'ENV A=b', empty_layer: true },
    { created: '2026-01-02T00:00:00Z', created_by: 'two', comment: 'c' },
  ],
};

test('history rows line up with the layers', () => {
  const brief = (config: ImageConfig, sizes: number[]) =>
    historyRows(['sha256:id'], config, sizes).map(
      (row) => `${row.id ?? '<missing>'} ${row.createdBy} ${row.size}`,
    );
  expect(brief(IMAGE, [10, 20])).toEqual(['sha256:id two 20', '<missing> ENV A=b 0', '<missing> one 10']);
  const { history: _, ...bare } = IMAGE;
  expect(brief(bare, [10, 20])).toEqual(['sha256:id  20', '<missing>  10']);
});

test('the inspect document', () => {
  expect(
    JSON.stringify(
      inspectImage(IMAGE, {
        id: 'sha256:id',
        repoTags: ['x:1'],
        repoDigests: [],
        size: 30,
        lastTagTime: '2026-01-03T00:00:00Z',
        layerDirectories: ['/s/layers/2', '/s/layers/1'],
      }),
      null,
      1,
    ),
  ).toMatchInlineSnapshot(`
    "{
     "Id": "sha256:id",
     "RepoTags": [
      "x:1"
     ],
     "RepoDigests": [],
     "Parent": "",
     "Comment": "c",
     "Created": "2026-01-02T00:00:00Z",
     "DockerVersion": "",
     "Author": "",
     "Config": {
      "Hostname": "",
      "Domainname": "",
      "User": "",
      "AttachStdin": false,
      "AttachStdout": false,
      "AttachStderr": false,
      "Tty": false,
      "OpenStdin": false,
      "StdinOnce": false,
      "Env": [
       "A=b"
      ],
      "Cmd": [
       "/bin/sh"
      ],
      "Image": "",
      "Volumes": null,
      "WorkingDir": "",
      "Entrypoint": null,
      "OnBuild": null,
      "Labels": {
       "a": "2",
       "b": "1"
      }
     },
     "Architecture": "amd64",
     "Os": "linux",
     "Size": 30,
     "GraphDriver": {
      "Data": {
       "LowerDir": "/s/layers/1",
       "UpperDir": "/s/layers/2"
      },
      "Name": "overlay"
     },
     "RootFS": {
      "Type": "layers",
      "Layers": [
       "sha256:1111111111111111111111111111111111111111111111111111111111111111",
       "sha256:2222222222222222222222222222222222222222222222222222222222222222"
      ]
     },
     "Metadata": {
      "LastTagTime": "2026-01-03T00:00:00Z"
     }
    }"
  `);
});
