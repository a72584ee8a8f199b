import { describe, expect, it, test } from 'vitest';
import { buildRequest } from '../../src/cli/commands/build.ts';
import { buildFlags } from '../../src/cli/commands/build-flags.ts';
import { parseFlags } from '../../src/cli/flags/parse.ts';

function request(argv: string[], env: NodeJS.ProcessEnv = {}) {
  const line = parseFlags(buildFlags, argv);
  return buildRequest(line, line.args[0] ?? '.', env);
}

describe('buildRequest', () => {
  it('has a value for everything', () => {
    expect(request(['ctx'])).toEqual({
      context: 'ctx',
      file: undefined,
      tags: [],
      target: undefined,
      targets: [],
      allStages: false,
      normalizeModes: false,
      buildContexts: {},
      cacheFrom: [],
      cacheTo: [],
      buildArgs: {},
      image: { labels: {} },
      secrets: {},
      ssh: {},
      allow: [],
      ignoreSyntax: false,
      noCache: false,
      pull: false,
      network: 'default',
      steps: {},
      runtime: 'auto',
      platforms: [],
      progress: 'auto',
      quiet: false,
      keepLines: false,
      iidFile: undefined,
      metadataFile: undefined,
      jobs: undefined,
      memoryBudget: undefined,
      outputs: [],
    });
  });

  it('takes flags as Docker does', () => {
    const argv = [
      ...[
        '-t',
        'a:1',
        '-tb',
        '.',
        '-f',
        'F',
        '--target=x',
        '--build-arg',
        'A=1=2',
        '--build-arg',
        'FROM_ENV',
      ],
      ...['--build-arg', 'UNSET', '--build-arg=A=3', '--label', 'l', '--label=k=v', '--no-cache', '--pull'],
      ...['id=a,src=f', 'type=env,id=b,source=B', 'id=FROM_ENV', 'id=c', 'id=c'].flatMap((secret) => [
        '--secret',
        secret,
      ]),
      ...[
        '--ssh',
        'default',
        '--ssh=keys=a,b',
        '--ssh',
        'own=',
        '--allow=network.host',
        '--allow',
        'device=x',
        '--ignore-syntax',
      ],
      ...[
        '--network=none',
        '--platform',
        'linux/amd64,local',
        '--jobs',
        '3',
        '-qo',
        'out',
        '--load',
        '--iidfile=i',
      ],
      ...['--annotation', 'manifest,manifest-descriptor:a=1', '--annotation=b=x:y=z', '--metadata-file=m'],
      ...['--squash', '--timestamp=5', '--unsetenv=E', '--unsetlabel=L'],
      ...['--ulimit=nofile=1:2', '-m1g', '--memory-swap=-1', '--resource', 'cpu-shares=5,memory=7m'],
      ...['--cgroup-parent', 'p', '--shm-size=2m', '--add-host=a:1.2.3.4', '--cpuset-cpus=0', '-c', '2'],
    ];
    expect(request(argv, { FROM_ENV: 'yes', BUILDKIT_PROGRESS: 'quiet', SSH_AUTH_SOCK: '/agent' })).toEqual({
      context: '.',
      file: 'F',
      tags: ['a:1', 'b'],
      target: 'x',
      targets: [],
      allStages: false,
      normalizeModes: false,
      isolation: undefined,
      memoryBudget: undefined,
      buildContexts: {},
      cacheFrom: [],
      cacheTo: [],
      buildArgs: { A: '3', FROM_ENV: 'yes' },
      image: {
        labels: { l: '', k: 'v' },
        annotations: { manifest: { a: '1', b: 'x:y=z' }, manifestDescriptor: { a: '1' } },
        squash: 'new',
        timestamp: 5,
        unsetEnv: ['E'],
        unsetLabels: ['L'],
      },
      secrets: { a: { file: 'f' }, b: { env: 'B' }, FROM_ENV: { env: 'FROM_ENV' }, c: { file: 'c' } },
      ssh: { default: ['/agent'], keys: ['a', 'b'], own: ['/agent'] },
      allow: ['network.host', 'device=x'],
      ignoreSyntax: true,
      noCache: true,
      pull: true,
      network: 'none',
      steps: {
        extraHosts: [{ name: 'a', address: '1.2.3.4' }],
        ulimits: [{ type: 'nofile', soft: 1, hard: 2 }],
        shmSize: 2 << 20,
        resources: { memory: 7 << 20, memorySwap: -1, cpuShares: 5, cpusetCpus: '0' },
        cgroupParent: 'p',
      },
      runtime: 'auto',
      platforms: ['linux/amd64', 'local'],
      progress: 'quiet',
      quiet: true,
      keepLines: false,
      iidFile: 'i',
      metadataFile: 'm',
      jobs: 3,
      outputs: [
        { type: 'local', dest: 'out', tar: true, names: [] },
        { type: 'docker', dest: undefined, tar: true, names: [] },
      ],
    });
  });

  it('gives each of several targets the names and outputs that follow it', () => {
    const argv = ['--target=a', '-tx', '--all-stages', '--target', 'b', '-oout', '-t', 'y:1', '--tag=y:2'];
    expect(request(argv)).toMatchObject({
      target: undefined,
      tags: [],
      outputs: [],
      targets: [
        { stage: 'a', tags: ['x'], outputs: [] },
        { stage: 'b', tags: ['y:1', 'y:2'], outputs: [{ type: 'local', dest: 'out' }] },
      ],
      allStages: true,
    });
  });

  it.each([
    ['512m', 512 * 1024 ** 2],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['1000', 1000],
    ['2 kb', 2048],
  ])('reads the size %s', (text, bytes) => {
    expect(request(['--memory-budget', text]).memoryBudget).toBe(bytes);
  });

  it('looks at the environment', () => {
    const env = { BUILDKIT_PROGRESS: 'plain', DOCKER_DEFAULT_PLATFORM: 'linux/arm64' };
    expect(request([], env)).toMatchObject({ progress: 'plain', platforms: ['linux/arm64'] });
    expect(request(['--progress=tty', '--platform=local'], env)).toMatchObject({
      progress: 'tty',
      platforms: ['local'],
    });
  });

  it.each([
    [['--progress=fancy'], 'invalid progress mode fancy'],
    [['-q', '--progress=plain'], 'progress=plain and quiet cannot be used together'],
    [['--network=bridge'], 'network mode "bridge" not supported by slipway'],
    [['-t', 'a b'], 'invalid tag "a b": invalid reference format'],
    [['-t', 'sha256:1'], 'refusing to create an ambiguous tag using digest algorithm as name'],
    [[''], 'please specify build context (e.g. "." for the current directory)'],
    [['--label', '=x'], 'invalid key-value pair "=x": empty key'],
    [['--build-arg', ''], 'invalid key-value pair "": empty key'],
    [['--jobs=-1'], '--jobs must not be negative, got -1'],
    [['--runtime=kata'], 'unknown or invalid runtime name: kata'],
    [['--ssh', 'default'], 'invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set'],
    [['--ssh', 'a=x', '--ssh', 'a=y'], 'duplicate agent ID "a"'],
    [['--allow', 'network.none'], 'unknown entitlement network.none'],
    [['-t', 'x', '--target=a', '--target=b'], 'with several targets --tag belongs to the --target before it'],
    [['--memory-budget', '4 apples'], 'invalid size: "4 apples"'],
    [['-o', 'type=foo'], 'exporter "foo" could not be found'],
  ])('%j is refused', (argv, message) => {
    expect(() => request(argv)).toThrow(expect.objectContaining({ kind: 'usage', message }));
  });
});

test.each([
  [[], false],
  [['--no-cache-filter=a,B'], ['a', 'B']],
  [
    ['--no-cache-filter=a', '--no-cache-filter=b'],
    ['a', 'b'],
  ],
  // As buildx: an empty name is that of stages without one, and alone it is all of them.
  [['--no-cache-filter=a,'], ['a', '']],
  [['--no-cache-filter='], true],
])('stages of %j', (argv, expected) => {
  expect(request([...argv, '.']).noCache).toEqual(expected);
});
