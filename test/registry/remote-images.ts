import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../src/image/digest.ts';
import { type DOCKER, OCI } from '../../src/image/media-types.ts';
import type { Descriptor, Platform } from '../../src/image/types.ts';
import { defaultHost } from '../../src/registry/default-hosts.ts';
import { openRegistryClient } from '../../src/registry/registry-client.ts';
import type { RegistryClient } from '../../src/registry/types.ts';
import { memoryFolder } from '../../tools/memory-folder.ts';

/** A layer made by GNU tar. */
export interface MadeLayer {
  diffId: string;
  blob: Buffer;
  mediaType: string;
  urls?: string[];
}

export type LayerForm = 'gzip' | 'zstd' | 'plain' | 'members';

/** Packs files as a layer. `members`: gzip data of several members, as estargz has. */
export function makeLayer(
  files: Readonly<Record<string, string | Buffer>>,
  form: LayerForm = 'gzip',
  family: typeof OCI | typeof DOCKER = OCI,
): MadeLayer {
  const folder = mkdtempSync(join(memoryFolder(), 'slipway-layer-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const options = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@1700000000'];
    const tar = execFileSync('tar', [...options, '-C', folder, '-cf', '-', ...Object.keys(files)], {
      maxBuffer: 1 << 28,
    });
    const half = tar.length >> 1;
    const blob = {
      gzip: () => gzipSync(tar),
      zstd: () => zstdCompressSync(tar),
      plain: () => tar,
      members: () => Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]),
    }[form]();
    const types = {
      gzip: family.layerGzip,
      members: family.layerGzip,
      zstd: family.layerZstd,
      plain: family.layer,
    };
    return { diffId: digestOf(tar), blob, mediaType: types[form] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface MadeImage {
  descriptor: Descriptor;
  /** Digest of the configuration. */
  id: string;
  layers: MadeLayer[];
}

/** A client of a registry of the tests, which asks for no credentials. Whoever opens closes it. */
export function openTestClient(host: string): Promise<RegistryClient> {
  return openRegistryClient({
    host: { ...defaultHost(host), scheme: 'http' },
    intent: 'push',
    credential: async () => undefined,
    http: { env: {} },
  });
}

async function pushBlob(client: RegistryClient, repository: string, bytes: Buffer): Promise<string> {
  const digest = digestOf(bytes);
  if ((await client.headBlob(repository, digest)) === undefined)
    await client.putUpload(await client.startUpload(repository), digest, bytes);
  return digest;
}

/** Pushes an image of these layers, by tag or, without, by its digest alone. */
export async function pushMade(
  client: RegistryClient,
  repository: string,
  layers: MadeLayer[],
  options: { tag?: string; family?: typeof OCI | typeof DOCKER; platform?: Platform; config?: object } = {},
): Promise<MadeImage> {
  const { family = OCI, platform = { os: 'linux', architecture: 'amd64' } } = options;
  const config = Buffer.from(
    JSON.stringify({
      created: '2024-01-02T03:04:05Z',
      ...platform,
      config: options.config ?? { Env: ['A=b'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const id = await pushBlob(client, repository, config);
  for (const { blob, urls } of layers) if (urls === undefined) await pushBlob(client, repository, blob);
  const descriptor = await pushDocument(client, repository, {
    tag: options.tag,
    document: {
      schemaVersion: 2,
      mediaType: family.manifest,
      config: { mediaType: family.config, digest: id, size: config.length },
      layers: layers.map(({ blob, mediaType, urls }) => ({
        mediaType,
        digest: digestOf(blob),
        size: blob.length,
        ...(urls && { urls }),
      })),
    },
  });
  return { descriptor: { ...descriptor, platform }, id, layers };
}

/** Pushes a manifest or an index, by tag or, without, by its digest alone. */
export async function pushDocument(
  client: RegistryClient,
  repository: string,
  { tag, document }: { tag?: string | undefined; document: { mediaType: string } & Record<string, unknown> },
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document));
  const { mediaType } = document;
  const digest = digestOf(bytes);
  await client.putManifest(repository, tag ?? digest, { mediaType, bytes });
  return { mediaType, digest, size: bytes.length };
}
