import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { makeTar, type Part } from './make-tar.ts';

/** Image archives as programs of all ages wrote them, always the same bytes. Each holds an image of two layers. */
export interface ArchiveOfAge {
  writer: string;
  bytes: Buffer;
  /** Normalised names of the image at the top; none where the format keeps none. */
  names: string[];
  /** It has no manifest.json: Docker's classic store does not read it, podman does. */
  layoutAlone?: boolean;
}

const NAME = 'old.example/ships/boat';
const CREATED = ['2015-02-13T10:00:00.100000000Z', '2015-02-13T10:00:01Z'];

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

const LAYERS = [
  makeTar([
    { path: 'etc/', type: 'directory', mode: 0o755 },
    { path: 'etc/motd', content: 'old' },
    { path: 'gone', content: 'x' },
  ]),
  makeTar([
    { path: '.wh.gone', content: '' },
    { path: 'etc/', type: 'directory', mode: 0o755 },
    { path: 'etc/motd', content: 'hello from an archive\n' },
  ]),
];

/** Members of a container as the engines of 2014 wrote them, those that are empty too. */
function container(command: string[] | null): object {
  return {
    Hostname: 'a1b2c3d4e5f6',
    Domainname: '',
    User: '',
    Memory: 0,
    MemorySwap: 0,
    CpuShares: 0,
    Cpuset: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    PortSpecs: null,
    ExposedPorts: { '80/tcp': {} },
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: ['PATH=/bin', 'A=<&>'],
    Cmd: command,
    Image: '',
    Volumes: { '/data': {} },
    WorkingDir: '/etc',
    Entrypoint: null,
    NetworkDisabled: false,
    MacAddress: '',
    OnBuild: [],
    Labels: { '10': 'ten', '2': 'two' },
  };
}

/** Folder of one image of specification v1. `version` undefined: a program that is not Docker. */
function v1Folder(
  id: string,
  parent: string | undefined,
  layer: number,
  version: string | undefined,
): Part[] {
  const json = {
    id,
    ...(parent === undefined ? {} : { parent }),
    created: CREATED[layer],
    container: sha256(`container ${layer}`),
    container_config: container(['/bin/sh', '-c', `#(nop) layer ${layer}`]),
    ...(version === undefined ? {} : { docker_version: version }),
    author: 'A <b@c.example>',
    config: container(['cat', '/etc/motd']),
    architecture: 'amd64',
    os: 'linux',
    Size: LAYERS[layer]!.length,
    ...(version === '1.9.1' ? { checksum: 'tarsum.dev+sha256:00' } : {}),
  };
  return [
    { path: `${id}/`, type: 'directory', mode: 0o755 },
    { path: `${id}/VERSION`, content: '1.0' },
    { path: `${id}/json`, content: JSON.stringify(json) },
    { path: `${id}/layer.tar`, content: LAYERS[layer]! },
  ];
}

// The child's folder comes first in the archive.
const V1_IDS = [sha256('below'), `0${sha256('top').slice(1)}`];

function v1(version: string | undefined): Buffer {
  return makeTar([
    ...v1Folder(V1_IDS[0]!, undefined, 0, version),
    ...v1Folder(V1_IDS[1]!, V1_IDS[0], 1, version),
    { path: 'repositories', content: `${JSON.stringify({ [NAME]: { v1: V1_IDS[1] } })}\n` },
  ]);
}

const CONFIG = JSON.stringify({
  architecture: 'amd64',
  config: { Env: ['PATH=/bin'], Cmd: ['cat', '/etc/motd'], WorkingDir: '/etc' },
  created: CREATED[1],
  history: CREATED.map((created, i) => ({ created, created_by: `/bin/sh -c #(nop) layer ${i}` })),
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: LAYERS.map((layer) => `sha256:${sha256(layer)}`) },
});

const manifestJson = (config: string, layers: string[], tags: string[] | null): Part => ({
  path: 'manifest.json',
  content: JSON.stringify([{ Config: config, RepoTags: tags, Layers: layers }]),
});

/** Docker 1.10 to 24: specification 1.1 and 1.2, with the folders of v1 beside for older readers. */
function docker110(tag: string | undefined): Buffer {
  const hex = sha256(CONFIG);
  return makeTar([
    ...v1Folder(V1_IDS[0]!, undefined, 0, '1.10.3'),
    ...v1Folder(V1_IDS[1]!, V1_IDS[0], 1, '1.10.3'),
    { path: `${hex}.json`, content: CONFIG },
    manifestJson(
      `${hex}.json`,
      V1_IDS.map((id) => `${id}/layer.tar`),
      tag === undefined ? null : [`${NAME}:${tag}`],
    ),
    ...(tag === undefined
      ? []
      : [{ path: 'repositories', content: JSON.stringify({ [NAME]: { [tag]: V1_IDS[1] } }) }]),
  ]);
}

/** What containers/image (podman save, skopeo copy docker-archive:) writes: layers by digest, v1 folders as links. */
function containersImage(): Buffer {
  const hex = sha256(CONFIG);
  return makeTar([
    ...LAYERS.map((content) => ({ path: `${sha256(content)}.tar`, content })),
    { path: `${hex}.json`, content: CONFIG },
    ...V1_IDS.flatMap((id, i): Part[] => [
      { path: `${id}/VERSION`, content: '1.0' },
      { path: `${id}/layer.tar`, type: 'symlink', link: `../${sha256(LAYERS[i]!)}.tar` },
      { path: `${id}/json`, content: '{}' },
    ]),
    { path: 'repositories', content: JSON.stringify({ [NAME]: { podman: V1_IDS[1] } }) },
    manifestJson(
      `${hex}.json`,
      LAYERS.map((layer) => `${sha256(layer)}.tar`),
      [`${NAME}:podman`],
    ),
  ]);
}

interface LayoutOptions {
  gzip?: boolean;
  annotations: Record<string, string> | undefined;
  /** Docker 25 and later: the same blobs by manifest.json. */
  docker?: string[];
  /** BuildKit: index.json names an index. */
  nested?: boolean;
}

function layout({ gzip = false, annotations, docker, nested = false }: LayoutOptions): Buffer {
  const blobs: Part[] = [];
  const blob = (mediaType: string, bytes: Buffer | string) => {
    const content = Buffer.from(bytes as string);
    blobs.push({ path: `blobs/sha256/${sha256(content)}`, content });
    return { mediaType, digest: `sha256:${sha256(content)}`, size: content.length };
  };
  const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
  const layers = LAYERS.map((layer) =>
    gzip ? blob(oci('layer.v1.tar+gzip'), gzipSync(layer, { level: 9 })) : blob(oci('layer.v1.tar'), layer),
  );
  const config = blob(oci('config.v1+json'), CONFIG);
  const mediaType = oci('manifest.v1+json');
  const manifest = blob(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  const platform = { architecture: 'amd64', os: 'linux' };
  const indexType = oci('index.v1+json');
  const inner = { schemaVersion: 2, mediaType: indexType, manifests: [{ ...manifest, platform }] };
  const top = nested ? blob(indexType, JSON.stringify(inner)) : manifest;
  return makeTar([
    { path: 'blobs/', type: 'directory', mode: 0o755 },
    { path: 'blobs/sha256/', type: 'directory', mode: 0o755 },
    ...blobs,
    {
      path: 'index.json',
      content: JSON.stringify({
        schemaVersion: 2,
        mediaType: indexType,
        manifests: [{ ...top, ...(annotations === undefined ? {} : { annotations }) }],
      }),
    },
    ...(docker === undefined
      ? []
      : [
          manifestJson(
            `blobs/sha256/${sha256(CONFIG)}`,
            layers.map(({ digest }) => `blobs/sha256/${digest.slice('sha256:'.length)}`),
            docker,
          ),
        ]),
    { path: 'oci-layout', content: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
  ]);
}

const CONTAINERD = 'io.containerd.image.name';
const REF = 'org.opencontainers.image.ref.name';

export function archivesOfAllAges(): ArchiveOfAge[] {
  return [
    { writer: 'Docker 1.3 (v1)', bytes: v1('1.3.0'), names: [`${NAME}:v1`] },
    { writer: 'Docker 1.9 (v1)', bytes: v1('1.9.1'), names: [`${NAME}:v1`] },
    { writer: 'another program (v1)', bytes: v1(undefined), names: [`${NAME}:v1`] },
    { writer: 'Docker 1.10 (v1.1)', bytes: docker110('v1.1'), names: [`${NAME}:v1.1`] },
    { writer: 'Docker 1.12 to 24 (v1.2), by id', bytes: docker110(undefined), names: [] },
    {
      writer: 'Docker 25 and later',
      bytes: layout({
        annotations: { [CONTAINERD]: `${NAME}:25`, [REF]: '25' },
        docker: [`${NAME}:25`],
      }),
      names: [`${NAME}:25`],
    },
    { writer: 'podman and skopeo, docker-archive', bytes: containersImage(), names: [`${NAME}:podman`] },
    {
      writer: 'podman, oci-archive',
      layoutAlone: true,
      bytes: layout({ gzip: true, annotations: { [REF]: `${NAME}:oci` } }),
      names: [`${NAME}:oci`],
    },
    {
      writer: 'skopeo, oci-archive with a bare tag',
      layoutAlone: true,
      bytes: layout({ gzip: true, annotations: { [REF]: 'latest' } }),
      names: [],
    },
    {
      writer: 'BuildKit, type=oci with an index inside',
      layoutAlone: true,
      bytes: layout({
        gzip: true,
        annotations: { [CONTAINERD]: `${NAME}:buildkit`, [REF]: 'buildkit' },
        nested: true,
      }),
      names: [`${NAME}:buildkit`],
    },
    {
      writer: 'BuildKit, type=docker',
      bytes: layout({
        gzip: true,
        annotations: { [CONTAINERD]: `${NAME}:tar`, [REF]: 'tar' },
        docker: [`${NAME}:tar`],
      }),
      names: [`${NAME}:tar`],
    },
  ];
}
