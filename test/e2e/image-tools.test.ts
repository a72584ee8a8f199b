import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { REGISTRY_NEEDS, testRegistry } from '../registry/servers.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, program } from '../support/need.ts';
import { suiteStore } from '../support/suite-store.ts';
import { webServer } from '../support/web-server.ts';

const execute = promisify(execFile);

interface Index {
  mediaType: string;
  manifests: { digest: string; platform: object }[];
  annotations?: Record<string, string>;
}

describeWith({ needs: [...REGISTRY_NEEDS, program('skopeo')] }, 'images in registries', () => {
  const store = suiteStore();
  const folder = suiteFolder('shared');
  const one = testRegistry();
  const two = testRegistry();
  const web = webServer();
  const env = () => ({ env: { HOME: folder.path, SLIPWAY_RETRY_DELAY_MS: '5' } });
  const ok = async (...args: string[]): Promise<string> => normal(await store.ok(args, env()));
  const failed = async (...args: string[]): Promise<string> => {
    const { stderr, exitCode } = await store.run(args, env());
    return `${normal(stderr)}exit code ${exitCode}`;
  };
  const raw = async (name: string): Promise<Index> =>
    JSON.parse(
      (await execute('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`])).stdout,
    );
  const digests: string[] = [];
  const normal = (text: string): string =>
    text
      .replaceAll(one.host, '<one>')
      .replaceAll(two.host, '<two>')
      .replaceAll(web.url.slice('http://'.length), '<web>')
      .replace(/sha256:[0-9a-f]{64}/g, (digest) => {
        if (!digests.includes(digest)) digests.push(digest);
        return `<digest ${digests.indexOf(digest)}>`;
      })
      .replace(/"size": \d+/g, '"size": <size>')
      .replace(/"Raw": "[^"]*"/g, '"Raw": "<raw>"');

  beforeAll(async () => {
    for (const platform of ['amd64', 'arm64']) {
      const name = `${one.host}/team/${platform}:1`;
      const flags = ['--platform', `linux/${platform}`, '-m', platform];
      await store.ok(['import', ...flags, '-', name], { ...env(), input: Buffer.alloc(1024) });
      await store.ok(['push', '-q', name], env());
    }
  });

  test('manifest inspect', async () => {
    expect(await ok('manifest', 'inspect', `${one.host}/team/amd64:1`)).toMatchInlineSnapshot(`
      "{
      	"schemaVersion": 2,
      	"mediaType": "application/vnd.oci.image.manifest.v1+json",
      	"config": {
      		"mediaType": "application/vnd.oci.image.config.v1+json",
      		"digest": "<digest 0>",
      		"size": <size>
      	},
      	"layers": [
      		{
      			"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      			"digest": "<digest 1>",
      			"size": <size>
      		}
      	]
      }
      "
    `);
    expect(await ok('manifest', 'inspect', '-v', `${one.host}/team/amd64:1`)).toMatchInlineSnapshot(`
      "{
      	"Ref": "<one>/team/amd64:1",
      	"Descriptor": {
      		"mediaType": "application/vnd.oci.image.manifest.v1+json",
      		"digest": "<digest 2>",
      		"size": <size>,
      		"platform": {
      			"architecture": "amd64",
      			"os": "linux"
      		}
      	},
      	"Raw": "<raw>",
      	"OCIManifest": {
      		"schemaVersion": 2,
      		"mediaType": "application/vnd.oci.image.manifest.v1+json",
      		"config": {
      			"mediaType": "application/vnd.oci.image.config.v1+json",
      			"digest": "<digest 0>",
      			"size": <size>
      		},
      		"layers": [
      			{
      				"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      				"digest": "<digest 1>",
      				"size": <size>
      			}
      		]
      	}
      }
      "
    `);
    expect(await failed('manifest', 'inspect', `${one.host}/team/none:1`)).toMatchInlineSnapshot(`
      "Error: no such manifest: <one>/team/none:1
      exit code 1"
    `);
  });

  test('an index of two images, in the other registry', async () => {
    const sources = [`${one.host}/team/amd64:1`, `${one.host}/team/arm64:1`];
    const dry = await store.ok(['imagetools', 'create', '--dry-run', ...sources], env());
    await ok('buildx', 'imagetools', 'create', '-t', `${two.host}/all/app:1`, ...sources);
    const index = await raw(`${two.host}/all/app:1`);
    expect(index).toEqual(JSON.parse(dry));
    expect(index.manifests.map(({ platform }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ]);
    // Everything is there: another program takes it all.
    await execute('skopeo', [
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${two.host}/all/app:1`,
      `oci:${join(folder.path, 'all')}:1`,
    ]);
    expect(await ok('imagetools', 'inspect', `${two.host}/all/app:1`)).toMatchInlineSnapshot(`
      "Name:      <two>/all/app:1
      MediaType: application/vnd.oci.image.index.v1+json
      Digest:    <digest 3>
                 
      Manifests: 
        Name:      <two>/all/app@<digest 2>
        MediaType: application/vnd.oci.image.manifest.v1+json
        Platform:  linux/amd64
                   
        Name:      <two>/all/app@<digest 4>
        MediaType: application/vnd.oci.image.manifest.v1+json
        Platform:  linux/arm64
      "
    `);
    expect(await ok('manifest', 'inspect', `${two.host}/all/app:1`)).toMatchInlineSnapshot(`
      "{
         "schemaVersion": 2,
         "mediaType": "application/vnd.oci.image.index.v1+json",
         "manifests": [
            {
               "mediaType": "application/vnd.oci.image.manifest.v1+json",
               "digest": "<digest 2>",
               "size": <size>,
               "platform": {
                  "architecture": "amd64",
                  "os": "linux"
               }
            },
            {
               "mediaType": "application/vnd.oci.image.manifest.v1+json",
               "digest": "<digest 4>",
               "size": <size>,
               "platform": {
                  "architecture": "arm64",
                  "os": "linux"
               }
            }
         ]
      }
      "
    `);
    expect(
      await ok(
        'imagetools',
        'inspect',
        '--format',
        '{{.Name}} {{.Manifest.MediaType}} {{range .Manifest.Manifests}}{{.Platform.Architecture}} {{end}}',
        `${two.host}/all/app:1`,
      ),
    ).toMatchInlineSnapshot(`"<two>/all/app:1 application/vnd.oci.image.index.v1+json amd64 arm64 "`);

    // As it is, under another name; one more image; some of the images.
    await ok('imagetools', 'create', '-t', `${one.host}/copy/app:1`, `${two.host}/all/app:1`);
    expect(await raw(`${one.host}/copy/app:1`)).toEqual(index);
    await ok(
      'imagetools',
      'create',
      '-p',
      'linux/arm64',
      '-t',
      `${one.host}/copy/arm:1`,
      `${two.host}/all/app:1`,
    );
    expect((await raw(`${one.host}/copy/arm:1`)).manifests).toEqual([index.manifests[1]]);
    await ok(
      'imagetools',
      'create',
      '--append',
      '-t',
      `${one.host}/copy/arm:1`,
      '--annotation',
      'index:a=b',
      `${one.host}/team/amd64:1`,
    );
    const appended = await raw(`${one.host}/copy/arm:1`);
    expect([appended.annotations, appended.manifests]).toEqual([{ a: 'b' }, [...index.manifests].reverse()]);
    await ok(
      'imagetools',
      'create',
      '--prefer-index=false',
      '-t',
      `${two.host}/plain:1`,
      `${one.host}/team/amd64:1`,
    );
    expect(await raw(`${two.host}/plain:1`)).toEqual(await raw(`${one.host}/team/amd64:1`));
    const file = join(folder.path, 'descriptor.json');
    writeFileSync(file, JSON.stringify(index.manifests[0]));
    await ok('imagetools', 'create', '-f', file, '-t', `${two.host}/all/app:from-file`);
    expect((await raw(`${two.host}/all/app:from-file`)).manifests).toEqual([index.manifests[0]]);
  });

  test('inspecting one image', async () => {
    expect(await ok('imagetools', 'inspect', `${one.host}/team/amd64:1`)).toMatchInlineSnapshot(`
      "Name:      <one>/team/amd64:1
      MediaType: application/vnd.oci.image.manifest.v1+json
      Digest:    <digest 2>
      "
    `);
    expect(
      await ok(
        'imagetools',
        'inspect',
        '--format',
        '{{json .Manifest}} {{json .Image.Config}} {{.Image.Architecture}}',
        `${one.host}/team/amd64:1`,
      ),
    ).toMatchInlineSnapshot(`
      "{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "<digest 2>",
        "size": <size>
      } {} amd64"
    `);
    expect(await store.ok(['imagetools', 'inspect', '--raw', `${one.host}/team/amd64:1`], env())).toBe(
      (
        await execute('skopeo', [
          'inspect',
          '--raw',
          '--tls-verify=false',
          `docker://${one.host}/team/amd64:1`,
        ])
      ).stdout,
    );
  });

  test('image inspect of a name in a registry', async () => {
    const format = '{{.RepoTags}} {{.RepoDigests}} {{.Architecture}} {{.Comment}} {{len .RootFS.Layers}}';
    const name = `docker://${one.host}/team/amd64:1`;
    expect(await ok('image', 'inspect', '-f', format, name)).toBe(
      '[<one>/team/amd64:1] [<one>/team/amd64@<digest 2>] amd64 amd64 1\n',
    );
    const [here] = JSON.parse(await store.ok(['image', 'inspect', `${one.host}/team/amd64:1`], env())) as {
      Id: string;
    }[];
    const [there] = JSON.parse(await store.ok(['image', 'inspect', name], env())) as { Id: string }[];
    expect(there!.Id).toBe(here!.Id);
  });

  test('what cannot be done', async () => {
    expect(await failed('imagetools', 'inspect', `${one.host}/none:1`)).toMatchInlineSnapshot(`
      "Error: <one>/none:1: not found
      exit code 1"
    `);
    expect(await failed('imagetools', 'create', `${one.host}/team/amd64:1`)).toMatchInlineSnapshot(`
      "Error: can't push with no tags specified, please set --tag or --dry-run
      exit code 1"
    `);
    expect(await failed('imagetools', 'create', '-t', `${one.host}/x:1`)).toMatchInlineSnapshot(`
      "Error: no sources specified
      exit code 1"
    `);
  });

  test('search', async () => {
    expect(await failed('search', `${one.host}/debian`)).toMatchInlineSnapshot(`
      "Error: the registry <one> offers no search: Unexpected status code 404
      Hint: Registries of today can list tags, but have no search; Docker Hub has one.
      exit code 1"
    `);
    // No server with the first version of the protocol is to be had.
    const results = [
      {
        name: 'debian',
        description: 'A distribution that is composed entirely of free and open-source software',
        star_count: 5000,
        is_official: true,
      },
      { name: 'team/debian', description: 'of a\nteam', star_count: 3, is_official: false },
    ];
    web.answers.set('/v1/search', (_, response) => response.end(JSON.stringify({ results })));
    const host = web.url.slice('http://'.length);
    expect(await ok('search', `${host}/debian`)).toMatchInlineSnapshot(`
      "NAME          DESCRIPTION                                     STARS     OFFICIAL
      debian        A distribution that is composed entirely of …   5000      [OK]
      team/debian   of a team                                       3         
      "
    `);
    expect(web.requests.at(-1)?.url).toBe('/v1/search?q=debian&n=25');
    expect(
      await ok(
        'search',
        '--limit=5',
        '--no-trunc',
        '--filter=stars=10',
        '--format={{.Name}}: {{.Description}}',
        `${host}/debian`,
      ),
    ).toMatchInlineSnapshot(`
      "debian: A distribution that is composed entirely of free and open-source software
      "
    `);
    expect(
      await ok('search', '-f', 'is-official=false', '--format=json', `${host}/debian`),
    ).toMatchInlineSnapshot(`
      "{"Description":"of a team","IsAutomated":"","IsOfficial":"","Name":"team/debian","StarCount":"3"}
      "
    `);
    expect(await failed('search', '-f', 'x=y', `${host}/debian`)).toMatchInlineSnapshot(`
      "Error: invalid filter 'x'
      Hint: Filters: is-automated, is-official, stars.
      exit code 1"
    `);
  });
});
