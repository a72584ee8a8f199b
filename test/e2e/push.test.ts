import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { OCI } from '../../src/image/media-types.ts';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { PASSWORD, USER } from '../registry/users.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { BASE_IMAGE, suiteStore } from '../support/suite-store.ts';

const execute = promisify(execFile);

interface Manifest {
  mediaType: string;
  config: { mediaType: string; digest: string };
  layers: { mediaType: string; digest: string }[];
}

describeWith({ needs: [...REGISTRY_NEEDS, program('skopeo'), program('umoci')] }, 'push', () => {
  const store = suiteStore();
  const folder = suiteFolder('shared');
  const plain = testRegistry();
  const token = testRegistry({ auth: 'token' });
  let context = '';

  beforeAll(async () => {
    context = store.context('pushed', {
      Dockerfile: `FROM ${BASE_IMAGE}\nCOPY one /one\nCOPY two /two\nCMD ["cat", "/one"]\n`,
      one: 'one\n',
      two: Buffer.alloc(3 << 20, 'two lines\n'),
    });
    await store.ok(['build', '-q', '-t', `${plain.host}/team/app:1`, context], quiet());
  });

  const env = () => ({
    HOME: folder.path,
    DOCKER_CONFIG: join(folder.path, 'docker'),
    SLIPWAY_RETRY_DELAY_MS: '5',
  });
  const quiet = () => ({ env: env() });
  const skopeo = async (...args: string[]): Promise<string> =>
    (await execute('skopeo', ['--insecure-policy', ...args], { maxBuffer: 1 << 24 })).stdout;
  const manifestOf = async (name: string): Promise<Manifest> =>
    JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${name}`)) as Manifest;
  const normal = (text: string): string => {
    const seen: string[] = [];
    return text
      .replaceAll(plain.host, '<host>')
      .replace(/\b[0-9a-f]{12}(?=: )/g, (id) => {
        if (!seen.includes(id)) seen.push(id);
        return `<layer ${seen.indexOf(id)}>`;
      })
      .replace(/sha256:[0-9a-f]{64}(?: size: \d+)?/g, '<digest>');
  };
  /** Lines of layers come in any order. */
  const sorted = (text: string): string => {
    const lines = text.split('\n');
    const at = lines.findIndex((line) => /(?:Pushed|exists|Mounted)/.test(line));
    const end = lines.findLastIndex((line) => /(?:Pushed|exists|Mounted)/.test(line));
    if (at === -1) return text;
    return [...lines.slice(0, at), ...lines.slice(at, end + 1).sort(), ...lines.slice(end + 1)].join('\n');
  };
  const push = async (...args: string[]): Promise<string> =>
    sorted(normal(await store.ok(['push', ...args], quiet())));
  const requestsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    const before = plain.log.length;
    await work();
    // The log is written after the answers: a request of our own comes last.
    await fetch(`${plain.url}/v2/end-of-log/tags/list`);
    await expect
      .poll(() => plain.log.findIndex((line, at) => at >= before && line.includes('end-of-log')))
      .not.toBe(-1);
    return plain.log.slice(
      before,
      plain.log.findIndex((line, at) => at >= before && line.includes('end-of-log')),
    );
  };

  test('first all blobs, then nothing but questions', async () => {
    expect(await push(`${plain.host}/team/app:1`)).toMatchInlineSnapshot(`
      "The push refers to repository [<host>/team/app]
      <layer 0>: Preparing
      <layer 1>: Preparing
      <layer 2>: Preparing
      <layer 0>: Pushed
      <layer 1>: Pushed
      <layer 2>: Pushed
      1: digest: <digest>
      "
    `);
    const requests = await requestsOf(async () => {
      expect(await push(`${plain.host}/team/app:1`)).toMatchInlineSnapshot(`
        "The push refers to repository [<host>/team/app]
        <layer 0>: Preparing
        <layer 1>: Preparing
        <layer 2>: Preparing
        <layer 0>: Layer already exists
        <layer 1>: Layer already exists
        <layer 2>: Layer already exists
        1: digest: <digest>
        "
      `);
    });
    // Three layers, and three more.
    expect(requests.length).toBeLessThanOrEqual(6);
    expect(requests.filter((line) => !line.startsWith('HEAD '))).toEqual(['PUT /v2/team/app/manifests/1']);
    const { mediaType, config, layers } = await manifestOf(`${plain.host}/team/app:1`);
    expect([mediaType, config.mediaType, ...layers.map((layer) => layer.mediaType)]).toEqual([
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.oci.image.config.v1+json',
      'application/vnd.oci.image.layer.v1.tar+gzip',
      'application/vnd.oci.image.layer.v1.tar+gzip',
      'application/vnd.oci.image.layer.v1.tar+gzip',
    ]);
    const inspected = JSON.parse(await store.ok(['image', 'inspect', `${plain.host}/team/app:1`])) as {
      Id: string;
      RepoDigests: string[];
    }[];
    expect(config.digest).toBe(inspected[0]!.Id);
    expect(inspected[0]!.RepoDigests).toHaveLength(1);
  });

  test('another repository of the registry gives its blobs; all tags go', async () => {
    await store.ok(['tag', `${plain.host}/team/app:1`, `${plain.host}/other/app`]);
    await store.ok(['tag', `${plain.host}/team/app:1`, `${plain.host}/other/app:v2`]);
    const requests = await requestsOf(async () => {
      expect(await push(`${plain.host}/other/app`)).toMatchInlineSnapshot(`
        "Using default tag: latest
        The push refers to repository [<host>/other/app]
        <layer 0>: Preparing
        <layer 1>: Preparing
        <layer 2>: Preparing
        <layer 0>: Mounted from team/app
        <layer 1>: Mounted from team/app
        <layer 2>: Mounted from team/app
        latest: digest: <digest>
        "
      `);
    });
    expect(requests.filter((line) => line.startsWith('PATCH'))).toEqual([]);
    expect(
      normal(await store.ok(['push', '-a', `${plain.host}/other/app`], quiet()))
        .split('\n')
        .filter((line) => line.includes('digest')),
    ).toEqual(['latest: digest: <digest>', 'v2: digest: <digest>']);
    expect(normal(await store.ok(['push', '-q', `${plain.host}/other/app`], quiet()))).toBe(
      '<host>/other/app:latest\n',
    );
    expect(await manifestOf(`${plain.host}/other/app:v2`)).toEqual(
      await manifestOf(`${plain.host}/team/app:1`),
    );
  });

  test('chunks, where a server wants them', async () => {
    const big = store.context('random', {
      Dockerfile: 'FROM scratch\nCOPY file /\n',
      file: randomBytes(5 << 20),
    });
    await store.ok(['build', '-q', '-t', `${plain.host}/chunks/big:1`, big], quiet());
    const requests = await requestsOf(() =>
      store.ok(['push', '-q', `${plain.host}/chunks/big:1`], {
        env: { ...env(), SLIPWAY_UPLOAD_CHUNK: String(2 << 20) },
      }),
    );
    expect(requests.filter((line) => line.startsWith('PATCH'))).toHaveLength(3);
    await skopeo(
      'copy',
      '--src-tls-verify=false',
      `docker://${plain.host}/chunks/big:1`,
      `oci:${join(folder.path, 'big')}:1`,
    );
  });

  test('what others pushed goes back as it came, and they unpack what we pushed', async () => {
    const layout = join(folder.path, 'layout');
    const name = `docker://${plain.host}/team/app:1`;
    await skopeo('copy', '--src-tls-verify=false', name, `oci:${layout}:app`);
    await execute('umoci', ['unpack', '--rootless', '--image', `${layout}:app`, join(folder.path, 'bundle')]);
    expect(readFileSync(join(folder.path, 'bundle/rootfs/one'), 'utf8')).toBe('one\n');
    expect(existsSync(join(folder.path, 'bundle/rootfs/bin/sh'))).toBe(true);
    // Compressed by another program, at another level.
    const bare = `dir:${join(folder.path, 'bare')}`;
    await skopeo('copy', '--src-tls-verify=false', '--dest-decompress', name, bare);
    const foreignName = `docker://${plain.host}/foreign/app:1`;
    await skopeo(
      'copy',
      '--dest-tls-verify=false',
      '--dest-compress-format=zstd',
      '--dest-compress-level=7',
      bare,
      foreignName,
    );
    const foreign = await manifestOf(`${plain.host}/foreign/app:1`);
    const archive = join(folder.path, 'foreign.tar');
    await skopeo(
      'copy',
      '--src-tls-verify=false',
      `docker://${plain.host}/foreign/app:1`,
      `oci-archive:${archive}:${plain.host}/foreign/back:1`,
    );
    const other = suiteStoreRoot();
    await store.ok(['--root', other, 'load', '-q', '-i', archive], quiet());
    await store.ok(['--root', other, 'push', '-q', `${plain.host}/foreign/back:1`], quiet());
    expect(await manifestOf(`${plain.host}/foreign/back:1`)).toEqual(foreign);
  });

  test('a registry with tokens: refused without credentials, pushed to with them', async () => {
    await store.ok(['tag', `${plain.host}/team/app:1`, `${token.host}/team/app:1`]);
    const refused = await store.run(['push', `${token.host}/team/app:1`], quiet());
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr.replaceAll(token.host, '<host>')).toMatchInlineSnapshot(`
      "Error: unauthorized: authentication required
      "
    `);
    mkdirSync(join(folder.path, 'docker'), { recursive: true });
    const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
    writeFileSync(
      join(folder.path, 'docker/config.json'),
      JSON.stringify({ auths: { [token.host]: { auth } } }),
    );
    await store.ok(['push', `${token.host}/team/app:1`], quiet());
    expect(token.tokens.requests.at(-1)?.authorization).toMatch(/^Basic /);
  });

  test('a build is pushed at once, as its output says', async () => {
    const file = join(folder.path, 'metadata.json');
    const build = async (...flags: string[]): Promise<{ digest: string; name: string | undefined }> => {
      await store.ok(['build', '--progress=quiet', '--metadata-file', file, ...flags, context], quiet());
      const { 'containerimage.digest': digest, 'image.name': name } = JSON.parse(readFileSync(file, 'utf8'));
      return { digest, name };
    };
    const digestOf = async (name: string): Promise<string> =>
      (await skopeo('inspect', '--tls-verify=false', '--format={{.Digest}}', `docker://${name}`)).trim();
    const types = async (name: string): Promise<string[]> => {
      const { mediaType, layers } = await manifestOf(name);
      return [...new Set([mediaType, ...layers.map((layer) => layer.mediaType)])];
    };
    const built = await build('--push', '-t', `${plain.host}/built/app:1`, '-t', `${plain.host}/built/app:2`);
    expect(await digestOf(`${plain.host}/built/app:2`)).toBe(built.digest);
    // The same blobs and documents as with a push afterwards.
    expect(await manifestOf(`${plain.host}/built/app:1`)).toEqual(
      await manifestOf(`${plain.host}/team/app:1`),
    );

    await build(
      '-o',
      `type=registry,name=${plain.host}/built/zstd:1,compression=zstd,compression-level=3,force-compression=true`,
    );
    expect(await types(`${plain.host}/built/zstd:1`)).toEqual([
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.oci.image.layer.v1.tar+zstd',
    ]);
    await build(
      '-o',
      `type=image,push=true,oci-mediatypes=false,"annotation.org.example.a=b",name=${plain.host}/built/docker:1`,
    );
    expect(await types(`${plain.host}/built/docker:1`)).toEqual([
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.docker.image.rootfs.diff.tar.gzip',
    ]);
    expect(await manifestOf(`${plain.host}/built/docker:1`)).toMatchObject({
      annotations: { 'org.example.a': 'b' },
    });

    const byDigest = await build(
      '-o',
      `type=image,push-by-digest=true,name-canonical=true,push=true,name=${plain.host}/built/digest`,
    );
    const status = async (path: string): Promise<number> =>
      (await fetch(`${plain.url}/v2/built/digest/${path}`, { headers: { accept: OCI.manifest } })).status;
    expect([await status(`manifests/${byDigest.digest}`), await status('tags/list')]).toEqual([200, 404]);

    const nameless = await store.run(['build', '--progress=quiet', '--push', context], quiet());
    expect(nameless.stderr).toBe(
      'ERROR: tag is needed when pushing to registry\nHint: Name the image with -t.\n',
    );
  });

  test('layouts and archives, as skopeo writes and reads them', async () => {
    const name = `${plain.host}/team/app:1`;
    const { config } = await manifestOf(name);
    const layout = join(folder.path, 'written');
    const places = [
      `oci:${layout}:one`,
      `oci-archive:${layout}.tar:one`,
      `docker-archive:${layout}-docker.tar:some/name:1`,
    ];
    for (const place of places) {
      await store.ok(['push', '-q', name, place], quiet());
      const raw = await skopeo('inspect', '--config', '--raw', place);
      expect(`sha256:${createHash('sha256').update(raw).digest('hex')}`).toBe(config.digest);
    }
    // The same manifest as in the registry, and a second image beside the first.
    await skopeo('copy', '--src-tls-verify=false', `docker://${name}`, `oci:${layout}-skopeo:one`);
    const digest = (place: string): Promise<string> => skopeo('inspect', '--format={{.Digest}}', place);
    expect(await digest(places[0]!)).toBe(await digest(`oci:${layout}-skopeo:one`));
    await store.ok(['push', '-q', BASE_IMAGE, `oci:${layout}:two`], quiet());
    expect(await digest(`oci:${layout}:two`)).not.toBe(await digest(`oci:${layout}:one`));

    const other = join(store.root, '../store-of-places');
    const load = (place: string): Promise<string> =>
      store.ok(['--root', other, 'load', '-i', place], quiet());
    await skopeo('copy', `oci:${layout}:one`, `oci-archive:${layout}-s.tar:two`);
    await skopeo('copy', `oci:${layout}:one`, `docker-archive:${layout}-s-docker.tar:other/name:2`);
    expect(await load(`oci:${layout}:one`)).toBe(`Loaded image ID: ${config.digest}\n`);
    expect(await load(`oci-archive:${layout}-s.tar:two`)).toBe(`Loaded image ID: ${config.digest}\n`);
    expect(await load(`docker-archive:${layout}-s-docker.tar:other/name:2`)).toBe(
      'Loaded image: other/name:2\n',
    );
    const missing = await store.run(['load', '-i', `oci:${layout}:three`], quiet());
    expect(missing.stderr).toMatch(/^Error: there is no such image in oci:/);
    const refused = await store.run(['push', BASE_IMAGE, 'docker-daemon:x'], quiet());
    expect(refused.stderr).toBe(
      'Error: the transport docker-daemon: is not supported\nHint: Instead write docker-archive:FILE and load that.\n',
    );
    expect(
      (await store.ok(['push', '-q', name, `docker://${plain.host}/elsewhere/app:9`], quiet())).trim(),
    ).toBe(`docker://${plain.host}/elsewhere/app:9`);
    expect(await manifestOf(`${plain.host}/elsewhere/app:9`)).toEqual(await manifestOf(name));
  });

  test('what cannot be pushed', async () => {
    const failed = async (...args: string[]): Promise<string> => {
      const { stdout, stderr, exitCode } = await store.run(['push', ...args], quiet());
      return `${normal(stdout)}${normal(stderr)}exit code ${exitCode}`;
    };
    expect(await failed(`${plain.host}/none`)).toMatchInlineSnapshot(`
      "Using default tag: latest
      The push refers to repository [<host>/none]
      Error: An image does not exist locally with the tag: <host>/none
      exit code 1"
    `);
    expect(await failed('-a', `${plain.host}/none`)).toMatchInlineSnapshot(`
      "The push refers to repository [<host>/none]
      Error: An image does not exist locally with the tag: <host>/none
      exit code 1"
    `);
    expect(await failed('-a', `${plain.host}/none:1`)).toMatchInlineSnapshot(`
      "Error: tag can't be used with --all-tags/-a
      exit code 1"
    `);
    expect(await failed(`x@sha256:${'0'.repeat(64)}`)).toMatchInlineSnapshot(`
      "Error: cannot push a digest reference
      exit code 1"
    `);
    expect(await failed('BAD')).toMatchInlineSnapshot(`
      "Error: invalid reference format: repository name (library/BAD) must be lowercase
      Hint: Write bad.
      exit code 1"
    `);
    await store.ok(['tag', `${plain.host}/team/app:1`, '127.0.0.1:1/x']);
    expect(await failed('127.0.0.1:1/x')).toMatchInlineSnapshot(`
      "Using default tag: latest
      The push refers to repository [127.0.0.1:1/x]
      <layer 0>: Preparing
      <layer 1>: Preparing
      <layer 2>: Preparing
      Error: Head "http://127.0.0.1:1/v2/x/blobs/<digest>": dial tcp 127.0.0.1:1: connect: connection refused
      exit code 1"
    `);
  });

  function suiteStoreRoot(): string {
    return join(store.root, '../other-store');
  }
});
