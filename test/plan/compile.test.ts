// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of Dockerfiles.
import { describe, expect, test } from 'vitest';
import type { Plan, RunOperation } from '../../src/plan/types.ts';
import { image, planText } from './plan-fixture.ts';

/** The plan without places, which take most of it. */
function compact(plan: Plan): unknown {
  return { ...plan, nodes: plan.nodes.map(({ range: _, ...node }) => node), warnings: plan.warnings.length };
}

function runs(plan: Plan): RunOperation[] {
  return plan.nodes.flatMap((node) => (node.operation.kind === 'run' ? [node.operation] : []));
}

const MULTI = `ARG VERSION=12
# build compiles
FROM debian:\${VERSION} AS build
ARG MODE=release
WORKDIR /src
COPY --chown=1:1 src/ ./
RUN --mount=type=cache,target=/cache,sharing=locked make MODE=$MODE
FROM debian:nowhere AS unneeded
RUN false
FROM scratch
COPY --from=build --link /src/out /bin/
ENTRYPOINT ["/bin/out"]
LABEL version=$VERSION
`;

describe('whole plans', () => {
  test('several stages', async () => {
    const plan = await planText(MULTI, { labels: new Map([['version', 'given']]) });
    expect(compact(plan)).toMatchInlineSnapshot(`
      {
        "bases": [
          {
            "imageId": "sha256:image",
            "reference": "docker.io/library/debian:12",
          },
        ],
        "format": 4,
        "nodes": [
          {
            "dependencies": [],
            "id": "n0",
            "label": "[build 1/4]",
            "operation": {
              "diffIds": [
                "sha256:layer",
              ],
              "imageId": "sha256:image",
              "kind": "image",
              "reference": "docker.io/library/debian:12",
            },
            "stage": 0,
            "title": "FROM docker.io/library/debian:12",
          },
          {
            "dependencies": [],
            "id": "n1",
            "label": "[build 2/4]",
            "operation": {
              "kind": "workdir",
              "parent": "n0",
              "path": "/src",
              "user": "",
            },
            "stage": 0,
            "title": "WORKDIR /src",
          },
          {
            "dependencies": [],
            "id": "n2",
            "label": "[build 3/4]",
            "operation": {
              "chown": "1:1",
              "destination": "/src/",
              "exclude": [],
              "from": {
                "kind": "context",
              },
              "heredocs": [],
              "instruction": "COPY",
              "kind": "copy",
              "link": false,
              "parent": "n1",
              "parents": false,
              "sources": [
                "src/",
              ],
            },
            "stage": 0,
            "title": "COPY --chown=1:1 src/ ./",
          },
          {
            "dependencies": [],
            "id": "n3",
            "label": "[build 4/4]",
            "operation": {
              "argNames": [
                "MODE",
              ],
              "args": [
                "/bin/sh",
                "-c",
                "make MODE=$MODE",
              ],
              "command": "/bin/sh -c make MODE=$MODE",
              "cwd": "/src",
              "env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "MODE=release",
              ],
              "hiddenEnv": [],
              "hostname": "buildkitsandbox",
              "kind": "run",
              "mounts": [
                {
                  "gid": 0,
                  "id": "/cache",
                  "mode": 493,
                  "readOnly": false,
                  "sharing": "locked",
                  "source": "/",
                  "target": "/cache",
                  "type": "cache",
                  "uid": 0,
                },
              ],
              "network": "default",
              "parent": "n2",
              "scripts": [],
              "security": "sandbox",
              "user": "",
            },
            "stage": 0,
            "title": "RUN --mount=type=cache,target=/cache,sharing=locked make MODE=release",
          },
          {
            "dependencies": [],
            "id": "n4",
            "label": "",
            "operation": {
              "kind": "scratch",
            },
            "stage": 1,
            "title": "FROM scratch",
          },
          {
            "dependencies": [
              "n3",
            ],
            "id": "n5",
            "label": "[stage-2 1/1]",
            "operation": {
              "destination": "/bin/",
              "exclude": [],
              "from": {
                "kind": "node",
                "node": "n3",
              },
              "heredocs": [],
              "instruction": "COPY",
              "kind": "copy",
              "link": true,
              "parent": "n4",
              "parents": false,
              "sources": [
                "/src/out",
              ],
            },
            "stage": 1,
            "title": "LINK COPY --from=build --link /src/out /bin/",
          },
        ],
        "platform": {
          "architecture": "amd64",
          "os": "linux",
        },
        "stages": [
          {
            "config": {
              "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              ],
              "WorkingDir": "/src",
            },
            "description": "compiles",
            "displayName": "build",
            "history": [
              {
                "created": "2020-01-01T00:00:00Z",
                "created_by": "base",
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "ARG MODE=release",
                "empty_layer": true,
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "WORKDIR /src",
                "node": "n1",
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "COPY --chown=1:1 src/ ./ # buildkit",
                "node": "n2",
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "RUN |1 MODE=release /bin/sh -c make MODE=$MODE # buildkit",
                "node": "n3",
              },
            ],
            "index": 0,
            "name": "build",
            "platform": {
              "architecture": "amd64",
              "os": "linux",
            },
            "result": "n3",
          },
          {
            "config": {
              "Entrypoint": [
                "/bin/out",
              ],
              "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              ],
              "Labels": {
                "version": "given",
              },
              "WorkingDir": "/",
            },
            "displayName": "stage-2",
            "history": [
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "COPY /src/out /bin/ # buildkit",
                "node": "n5",
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "ENTRYPOINT ["/bin/out"]",
                "empty_layer": true,
              },
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "LABEL version=",
                "empty_layer": true,
              },
            ],
            "index": 2,
            "platform": {
              "architecture": "amd64",
              "os": "linux",
            },
            "result": "n5",
          },
        ],
        "target": 1,
        "unusedBuildArgs": [],
        "warnings": 1,
      }
    `);
  });

  test('scratch with metadata only has no layer', async () => {
    const plan = await planText('FROM scratch\nCMD ["x"]\n');
    expect(compact(plan)).toMatchInlineSnapshot(`
      {
        "bases": [],
        "format": 4,
        "nodes": [
          {
            "dependencies": [],
            "id": "n0",
            "label": "",
            "operation": {
              "kind": "scratch",
            },
            "stage": 0,
            "title": "FROM scratch",
          },
        ],
        "platform": {
          "architecture": "amd64",
          "os": "linux",
        },
        "stages": [
          {
            "config": {
              "ArgsEscaped": true,
              "Cmd": [
                "x",
              ],
              "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              ],
              "WorkingDir": "/",
            },
            "displayName": "stage-0",
            "history": [
              {
                "comment": "buildkit.dockerfile.v0",
                "created_by": "CMD ["x"]",
                "empty_layer": true,
              },
            ],
            "index": 0,
            "platform": {
              "architecture": "amd64",
              "os": "linux",
            },
            "result": "n0",
          },
        ],
        "target": 0,
        "unusedBuildArgs": [],
        "warnings": 0,
      }
    `);
  });

  test('a plan survives JSON', async () => {
    const plan = await planText(MULTI);
    expect(JSON.parse(JSON.stringify(plan))).toStrictEqual(plan);
  });
});

describe('what is needed', () => {
  const FILE = `FROM one AS a
FROM two AS b
COPY --from=a /x /y
FROM three AS c
RUN --mount=from=four,target=/m true
FROM b AS d
RUN true
`;
  test.each([
    ['a', ['one']],
    ['b', ['one', 'two']],
    ['C', ['four', 'three']],
    [undefined, ['one', 'two']],
  ])('target %s looks up %s', async (target, images) => {
    const asked: string[] = [];
    const plan = await planText(FILE, {
      target,
      resolveImage: async (reference) => {
        asked.push(reference.replace(/^docker.io\/library\/(.*):latest$/, '$1'));
        return image();
      },
    });
    expect(asked.sort()).toEqual(images);
    expect(plan.bases.length).toBe(images.length);
    expect(plan.stages[plan.target]!.name).toBe((target ?? 'd').toLowerCase());
    const ids = plan.nodes.map((node) => node.id);
    for (const node of plan.nodes) {
      const { operation } = node;
      const reads = [...node.dependencies, ...('parent' in operation ? [operation.parent] : [])];
      for (const read of reads) expect(ids.indexOf(read)).toBeLessThan(ids.indexOf(node.id));
    }
  });
});

describe('inheritance', () => {
  test('everything of the base image but its ONBUILD, which runs', async () => {
    const base = image({
      author: 'base author',
      config: {
        Env: ['PATH=/bin', 'A=1'],
        Cmd: ['base'],
        Entrypoint: ['entry'],
        WorkingDir: '/w',
        User: 'u',
        Labels: { l: '1' },
        ExposedPorts: { '80/tcp': {} },
        Volumes: { '/v': {} },
        Healthcheck: { Test: ['NONE'] },
        StopSignal: 'SIGINT',
        Shell: ['/bin/bash', '-c'],
        OnBuild: ['RUN echo $A', 'COPY --from=tools /t /t', 'ENV B=2'],
      },
    });
    const plan = await planText('FROM scratch AS tools\nFROM base\nRUN echo own\n', {
      resolveImage: async () => base,
    });
    const stage = plan.stages[plan.target]!;
    expect(stage.config).toMatchInlineSnapshot(`
      {
        "Cmd": [
          "base",
        ],
        "Entrypoint": [
          "entry",
        ],
        "Env": [
          "PATH=/bin",
          "A=1",
          "B=2",
        ],
        "ExposedPorts": {
          "80/tcp": {},
        },
        "Healthcheck": {
          "Test": [
            "NONE",
          ],
        },
        "Labels": {
          "l": "1",
        },
        "Shell": [
          "/bin/bash",
          "-c",
        ],
        "StopSignal": "SIGINT",
        "User": "u",
        "Volumes": {
          "/v": {},
        },
        "WorkingDir": "/w",
      }
    `);
    expect(stage.author).toBe('base author');
    expect(plan.nodes.map((node) => `${node.label} ${node.title}`.trim())).toMatchInlineSnapshot(`
      [
        "FROM scratch",
        "[stage-1 1/5] FROM docker.io/library/base:latest",
        "[stage-1 2/5] ONBUILD RUN echo 1",
        "[stage-1 3/5] ONBUILD COPY --from=tools /t /t",
        "[stage-1 4/5] RUN echo own",
      ]
    `);
    expect(runs(plan).map(({ args, env, cwd, user }) => ({ args, env, cwd, user }))).toMatchInlineSnapshot(`
      [
        {
          "args": [
            "/bin/bash",
            "-c",
            "echo $A",
          ],
          "cwd": "/w",
          "env": [
            "PATH=/bin",
            "A=1",
          ],
          "user": "u",
        },
        {
          "args": [
            "/bin/bash",
            "-c",
            "echo own",
          ],
          "cwd": "/w",
          "env": [
            "PATH=/bin",
            "A=1",
            "B=2",
          ],
          "user": "u",
        },
      ]
    `);
  });

  test('a child stage has the ENV and ARG of its parent, a sibling has not', async () => {
    const plan = await planText(`ARG G=global
FROM base AS parent
ARG A=arg G
ENV E=env
FROM parent AS child
RUN child
FROM base AS sibling
RUN sibling
FROM scratch
COPY --from=child / /c
COPY --from=sibling / /s
`);
    expect(runs(plan).map(({ args, env }) => [args.at(-1), ...env])).toMatchInlineSnapshot(`
      [
        [
          "child",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          "A=arg",
          "G=global",
          "E=env",
        ],
        [
          "sibling",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ],
      ]
    `);
    const child = plan.stages.find((stage) => stage.name === 'child')!;
    expect(child.config.Env).toEqual([
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'E=env',
    ]);
    expect(child.history.at(-1)!.created_by).toBe('RUN |2 A=arg G=global /bin/sh -c child # buildkit');
  });
});

describe('arguments', () => {
  test('proxies reach RUN in both spellings and nothing else, unless an ARG asks', async () => {
    const buildArgs = new Map([
      ['http_proxy', 'http://p'],
      ['NO_PROXY', 'local'],
    ]);
    const plan = await planText('FROM base\nRUN one\nARG NO_PROXY\nRUN two\n', { buildArgs });
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    expect(runs(plan).map(({ env, hiddenEnv }) => ({ env, hiddenEnv }))).toEqual([
      {
        env: [path],
        hiddenEnv: ['HTTP_PROXY=http://p', 'http_proxy=http://p', 'NO_PROXY=local', 'no_proxy=local'],
      },
      {
        env: [path, 'NO_PROXY=local'],
        hiddenEnv: ['HTTP_PROXY=http://p', 'http_proxy=http://p', 'no_proxy=local'],
      },
    ]);
    expect(plan.stages[0]!.history.map((entry) => entry.created_by)).toEqual([
      'base',
      'RUN /bin/sh -c one # buildkit',
      'ARG NO_PROXY',
      'RUN |1 NO_PROXY=local /bin/sh -c two # buildkit',
    ]);
    expect(plan.unusedBuildArgs).toEqual([]);
  });

  test('those that nothing asks for are told, those that steer are not', async () => {
    const buildArgs = new Map(
      [
        'USED',
        'IN_OTHER_STAGE',
        'GLOBAL',
        'UNUSED',
        'BUILDKIT_INLINE_CACHE',
        'TARGETARCH',
        'http_proxy',
        'lower',
      ].map((name) => [name, '1'] as const),
    );
    const file = 'ARG GLOBAL\nFROM scratch AS other\nARG IN_OTHER_STAGE\nFROM scratch\nARG USED\n';
    expect((await planText(file, { buildArgs })).unusedBuildArgs).toEqual(['UNUSED', 'lower']);
  });

  test('automatic ones, and where they may be used', async () => {
    const names = 'TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH TARGETSTAGE';
    const plan = await planText(
      `FROM --platform=$BUILDPLATFORM base:$TARGETARCH AS final
RUN before $TARGETARCH
ARG ${names}
RUN after
`,
      {
        platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
        buildPlatform: { os: 'linux', architecture: 'amd64' },
      },
    );
    expect(plan.bases[0]!.reference).toBe('docker.io/library/base:arm');
    expect(runs(plan).map(({ env }) => env.slice(1))).toMatchInlineSnapshot(`
      [
        [],
        [
          "TARGETPLATFORM=linux/arm/v7",
          "TARGETOS=linux",
          "TARGETARCH=arm",
          "TARGETVARIANT=v7",
          "BUILDPLATFORM=linux/amd64",
          "BUILDARCH=amd64",
          "TARGETSTAGE=final",
        ],
      ]
    `);
  });

  test('an empty build argument is a value; an ENV stays where an ARG has none', async () => {
    const plan = await planText('FROM base\nENV E=env\nARG E\nARG A=default\nLABEL l="[$E$A]"\n', {
      buildArgs: new Map([['A', '']]),
    });
    expect(plan.stages[0]!.config.Labels).toEqual({ l: '[env]' });
  });

  test('SOURCE_DATE_EPOCH, given or in the file', async () => {
    expect((await planText('ARG SOURCE_DATE_EPOCH=12\nFROM scratch\n')).epoch).toBe(12);
    const buildArgs = new Map([['SOURCE_DATE_EPOCH', '34']]);
    expect((await planText('ARG SOURCE_DATE_EPOCH=12\nFROM scratch\n', { buildArgs })).epoch).toBe(34);
    expect((await planText('FROM scratch\n')).epoch).toBe(undefined);
  });
});

test('RUN mounts with their defaults', async () => {
  const plan = await planText(
    `FROM scratch AS files
FROM base
WORKDIR /work
ENV T=/from/env
RUN --mount=type=bind,target=rel --mount=src=a/../b,target=$T,rw --mount=type=cache,target=c/ --mount=type=cache,target=/d,id=i,from=files,source=s,uid=1,gid=2,mode=0700,sharing=private,ro x
RUN --mount=type=tmpfs,target=/t --mount=type=tmpfs,target=/u,size=1.5m x
RUN --mount=type=secret,id=a --mount=type=secret,target=/x/y --mount=type=secret,src=s,env=SECRET --mount=type=secret,id=b,env=B,target=/z,required,uid=3,mode=440 echo $SECRET
RUN --mount=type=ssh --mount=type=ssh,id=k,target=/k,required=true --mount=type=ssh x
RUN --mount="type=bind,target=/img,from=other:1" x
`,
    {
      buildArgs: new Map([
        ['BUILDKIT_CACHE_MOUNT_NS', 'ns'],
        ['BUILDKIT_SANDBOX_HOSTNAME', 'box'],
      ]),
    },
  );
  expect(runs(plan).map((run) => run.mounts)).toMatchInlineSnapshot(`
    [
      [
        {
          "from": {
            "kind": "context",
          },
          "readWrite": false,
          "source": "/",
          "target": "/work/rel",
          "type": "bind",
        },
        {
          "from": {
            "kind": "context",
          },
          "readWrite": true,
          "source": "/b",
          "target": "/from/env",
          "type": "bind",
        },
        {
          "gid": 0,
          "id": "ns/c",
          "mode": 493,
          "readOnly": false,
          "sharing": "shared",
          "source": "/",
          "target": "/work/c",
          "type": "cache",
          "uid": 0,
        },
        {
          "from": {
            "kind": "node",
            "node": "n0",
          },
          "gid": 2,
          "id": "ns/i",
          "mode": 448,
          "readOnly": true,
          "sharing": "private",
          "source": "/s",
          "target": "/d",
          "type": "cache",
          "uid": 1,
        },
      ],
      [
        {
          "target": "/t",
          "type": "tmpfs",
        },
        {
          "size": 1572864,
          "target": "/u",
          "type": "tmpfs",
        },
      ],
      [
        {
          "gid": 0,
          "id": "a",
          "mode": 256,
          "required": false,
          "target": "/run/secrets/a",
          "type": "secret",
          "uid": 0,
        },
        {
          "gid": 0,
          "id": "y",
          "mode": 256,
          "required": false,
          "target": "/x/y",
          "type": "secret",
          "uid": 0,
        },
        {
          "env": "SECRET",
          "gid": 0,
          "id": "s",
          "mode": 256,
          "required": false,
          "type": "secret",
          "uid": 0,
        },
        {
          "env": "B",
          "gid": 0,
          "id": "b",
          "mode": 288,
          "required": true,
          "target": "/z",
          "type": "secret",
          "uid": 3,
        },
      ],
      [
        {
          "gid": 0,
          "id": "default",
          "mode": 384,
          "required": false,
          "target": "/run/buildkit/ssh_agent.0",
          "type": "ssh",
          "uid": 0,
        },
        {
          "gid": 0,
          "id": "k",
          "mode": 384,
          "required": true,
          "target": "/k",
          "type": "ssh",
          "uid": 0,
        },
        {
          "gid": 0,
          "id": "default",
          "mode": 384,
          "required": false,
          "target": "/run/buildkit/ssh_agent.2",
          "type": "ssh",
          "uid": 0,
        },
      ],
      [
        {
          "from": {
            "kind": "node",
            "node": "n7",
          },
          "readWrite": false,
          "source": "/",
          "target": "/img",
          "type": "bind",
        },
      ],
    ]
  `);
  expect(plan.nodes.map((node) => node.title)).toContain(
    'RUN --mount=type=secret,id=a --mount=type=secret,target=/x/y --mount=type=secret,src=s,env=SECRET --mount=type=secret,id=b,env=B,target=/z,required,uid=3,mode=440 echo ****',
  );
  expect(runs(plan)[0]!.hostname).toBe('box');
});

test('the network of a RUN', async () => {
  const file = 'FROM base\nRUN 1\nRUN --network=none 2\nRUN --network=host 3\n';
  const networks = async (extra: Parameters<typeof planText>[1]) =>
    runs(await planText(file, extra)).map((run) => run.network);
  expect(await networks({ allow: ['network.host'] })).toEqual(['default', 'none', 'host']);
  expect(await networks({ network: 'host' })).toEqual(['host', 'none', 'host']);
});

test('here-documents of RUN and COPY', async () => {
  const plan = await planText(`FROM base
ENV V=value
RUN <<-EOF
	one $V
		two
EOF
RUN <<SCRIPT
#!/usr/bin/env python
print("$V")
SCRIPT
RUN cat <<A - <<'B' > /x
$V
A
b
B
COPY <<-a.txt <<"b.txt" path /d/
	$V \\$V "q"
a.txt
	$V
b.txt
`);
  const operations = plan.nodes
    .slice(1)
    .map(({ operation }) =>
      operation.kind === 'run'
        ? { args: operation.args, scripts: operation.scripts }
        : operation.kind === 'copy'
          ? { sources: operation.sources, heredocs: operation.heredocs, destination: operation.destination }
          : operation,
    );
  expect(operations).toMatchInlineSnapshot(`
    [
      {
        "args": [
          "/bin/sh",
          "-c",
          "one $V
    two
    ",
        ],
        "scripts": [],
      },
      {
        "args": [
          "/bin/sh",
          "-c",
          "/dev/pipes/SCRIPT",
        ],
        "scripts": [
          {
            "content": "#!/usr/bin/env python
    print("$V")
    ",
            "name": "SCRIPT",
          },
        ],
      },
      {
        "args": [
          "/bin/sh",
          "-c",
          "cat <<A - <<'B' > /x
    $V
    A
    b
    B",
        ],
        "scripts": [],
      },
      {
        "destination": "/d/",
        "heredocs": [
          {
            "content": "value $V "q"
    ",
            "name": "a.txt",
          },
          {
            "content": "	$V
    ",
            "name": "b.txt",
          },
        ],
        "sources": [
          "path",
        ],
      },
    ]
  `);
});

test('named contexts stand for stages, images and sources', async () => {
  const plan = await planText(
    `FROM replaced:1 AS base
RUN never
FROM base AS child
COPY --from=files a b
RUN --mount=from=other,target=/o x
FROM child
`,
    {
      namedContexts: new Map([
        ['base', { kind: 'image', reference: 'my/base:2' }],
        ['files', { kind: 'files', description: '../files' }],
        ['other', { kind: 'image', reference: 'other:3' }],
      ]),
    },
  );
  expect(plan.bases.map((base) => base.reference)).toEqual([
    'docker.io/my/base:2',
    'docker.io/library/other:3',
  ]);
  expect(plan.nodes.map((node) => [node.title, ...node.dependencies])).toMatchInlineSnapshot(`
    [
      [
        "FROM docker.io/my/base:2",
      ],
      [
        "COPY --from=files a b",
      ],
      [
        "FROM docker.io/library/other:3",
      ],
      [
        "RUN --mount=from=other,target=/o x",
        "n2",
      ],
    ]
  `);
});

test('--no-cache marks all steps or those of named stages', async () => {
  const file = 'FROM base AS One\nRUN 1\nFROM base AS two\nCOPY --from=one a b\n';
  const marked = async (noCache: boolean | string[]) =>
    (await planText(file, { noCache })).nodes.flatMap((node) => (node.noCache ? [node.title] : []));
  expect(await marked(true)).toEqual(['RUN 1', 'COPY --from=one a b']);
  expect(await marked(['one'])).toEqual(['RUN 1']);
  expect(await marked(false)).toEqual([]);
});

test('a comment above an instruction marks that step, above FROM the stage, and nothing else does', async () => {
  const file = `FROM base AS one
# slipway: no-cache
RUN 1
RUN 2
# Slipway: No-Cache
# and another comment
COPY a b
RUN 3 \\
  # slipway: no-cache
  # inside
  && 4
# slipway: no-cache please
RUN 5
# slipway: no-cache

RUN 6
#slipway:no-cache
FROM base
RUN 7
COPY --from=one a b
`;
  const { nodes } = await planText(file);
  expect(nodes.flatMap((node) => (node.noCache ? [[node.title, node.noCacheBy]] : []))).toEqual([
    ['RUN 1', 'comment'],
    ['COPY a b', 'comment'],
    ['RUN 6', 'comment'],
    ['RUN 7', 'comment'],
    ['COPY --from=one a b', 'comment'],
  ]);
});

test('a base for another machine is taken with a warning, and its platform counts', async () => {
  const plan = await planText('FROM base\nRUN x\n', {
    resolveImage: async () => image({ architecture: 'arm64' }),
  });
  expect(plan.stages[0]!.platform).toEqual({ os: 'linux', architecture: 'arm64' });
  expect(plan.warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'InvalidBaseImagePlatform: Base image base was pulled with platform "linux/arm64", expected "linux/amd64" for current build',
  ]);
});

test('large files are planned in time that grows with their size', async () => {
  const lines = 'ENV A=1 B=$A\nLABEL c="${B:-x}"\nRUN true\n'.repeat(5_000);
  const chain = Array.from(
    { length: 3_000 },
    (_, index) => `FROM ${index === 0 ? 'scratch' : `s${index - 1}`} AS s${index}\n`,
  );
  const started = process.cpuUsage();
  expect((await planText(`FROM base\n${lines}`)).nodes.length).toBe(5_001);
  expect((await planText(chain.join(''))).stages.length).toBe(3_000);
  const { user } = process.cpuUsage(started);
  expect(user).toBeLessThan(30_000_000);
});
