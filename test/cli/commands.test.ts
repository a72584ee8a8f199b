import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageById, putImage } from '../../src/store/images.ts';
import { openStore } from '../../src/store/store.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const root = mkdtempSync(join(tmpdir(), 'slipway-cli-'));
const ids: string[] = [];

function slipway(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, '--root', root, ...args], {
    encoding: 'utf8',
    input: '',
  });
  return { stdout, stderr, status };
}

/** An image without layers; `created` years ago. */
function image(years: number, names: string[], parent?: string): string {
  const created = new Date(Date.now() - (years * 365 + 1) * 24 * 3600 * 1000).toISOString();
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created,
      config: { Env: ['A=1'], Cmd: ['sh', '-c', 'echo <&>\u009b'] },
      rootfs: { type: 'layers', diff_ids: [] },
      history: [{ created, created_by: 'ENV A=1', empty_layer: true, comment: 'by hand' }],
    }),
  );
  using store = openStore(root);
  const tags = names.map((name) => `docker.io/library/${name}`);
  return putImage(store, { config, tags, ...(parent === undefined ? {} : { parent }) }).id;
}

beforeAll(() => {
  ids.push(image(2, ['old:1', 'older:x']));
  ids.push(image(3, []));
  ids.push(image(4, [], ids[1]));
});
afterAll(() => rmSync(root, { recursive: true }));

const normal = (text: string) =>
  ids.reduce((all, id, index) => all.replaceAll(id.slice(7, 19), `<image ${index}>`.padEnd(12)), text);

describe('commands on a store', () => {
  it('images', () => {
    expect(normal(slipway('images').stdout)).toBe(`\
REPOSITORY   TAG       IMAGE ID       CREATED       SIZE
old          1         <image 0>      2 years ago   0B
older        x         <image 0>      2 years ago   0B
<none>       <none>    <image 2>      4 years ago   0B
`);
    expect(slipway('image', 'ls', '-a', '-q').stdout.split('\n')).toHaveLength(5);
    expect(slipway('images', '-q', 'old*').stdout.split('\n')).toHaveLength(3);
    expect(slipway('images', '-q', 'older:?').stdout).toBe(`${ids[0]!.slice(7, 19)}\n`);
    expect(slipway('images', '-q', 'ol').stdout).toBe('');
  });

  it('history and inspect', () => {
    expect(normal(slipway('history', 'old:1').stdout)).toBe(`\
IMAGE          CREATED       CREATED BY   SIZE      COMMENT
<image 0>      2 years ago   ENV A=1      0B        by hand
`);
    const { stdout, stderr, status } = slipway('image', 'inspect', 'old:1', 'nowhere');
    expect({ stderr, status }).toEqual({ stderr: 'Error: No such image: nowhere:latest\n', status: 1 });
    expect(stdout.startsWith('[\n    {\n        "Id": "sha256:')).toBe(true);
    expect(stdout).toContain('echo <&>\\u009b');
    expect(JSON.parse(stdout)).toMatchObject([{ Id: ids[0], RepoTags: ['old:1', 'older:x'] }]);
    expect(slipway('inspect', 'UPPER').stderr).toBe('Error: No such object: UPPER\n');
    expect(slipway('image', 'inspect', 'UPPER').stderr).toBe(
      'Error: invalid reference format: repository name (library/UPPER) must be lowercase\n',
    );
    expect(slipway('inspect', 'nowhere')).toEqual({
      stdout: '[]\n',
      stderr: 'Error: No such object: nowhere\n',
      status: 1,
    });
  });

  it('tag and rmi', () => {
    expect(slipway('tag', 'old:1', 'third')).toEqual({ stdout: '', stderr: '', status: 0 });
    expect(slipway('tag', 'old:1', 'Bad')).toEqual({
      stdout: '',
      stderr:
        'Error: Error parsing reference: "Bad" is not a valid repository/tag: invalid reference format: repository name (library/Bad) must be lowercase\n',
      status: 1,
    });
    expect(slipway('rmi', 'nowhere', 'third', 'nothing')).toEqual({
      stdout: 'Untagged: third:latest\n',
      stderr: 'Error: No such image: nowhere:latest\nError: No such image: nothing:latest\n',
      status: 1,
    });
    expect(slipway('rmi', '-f', 'nowhere')).toEqual({
      stdout: '',
      stderr: 'Error: No such image: nowhere:latest\n',
      status: 0,
    });
    expect(slipway('rmi', ids[0]!.slice(7, 19)).stderr).toBe(
      `Error: conflict: unable to delete ${ids[0]!.slice(7, 19)} (must be forced) - image is referenced in multiple repositories\nHint: Use -f to remove it anyway.\n`,
    );
    using store = openStore(root);
    expect(imageById(store, ids[0]!)?.tags).toEqual(['docker.io/library/old:1', 'docker.io/library/older:x']);
  });

  it('makes no store to look into', () => {
    const missing = join(root, 'missing');
    expect(slipway('--root', missing, 'images').stdout).toMatch(/^REPOSITORY .*SIZE\n$/);
    expect(slipway('--root', missing, 'tag', 'x', 'y').stderr).toBe('Error: No such image: x:latest\n');
    expect(existsSync(missing)).toBe(false);
  });
});

describe('the process', () => {
  it.each(['--help', '--version', 'image --help', 'help build'])('%s', (words) => {
    const { stdout, stderr, status } = slipway(...words.split(' '));
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(stdout).toMatch(/^(Usage: {2}slipway |Slipway version \d)/);
  });

  it('goes quietly when nobody reads its output', async () => {
    const command = `"${process.execPath}" "${MAIN}" --root "${root}" images | true; echo "\${PIPESTATUS[0]}"`;
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    await once(child, 'close');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^(0|141)\n$/);
  });

  it('loads nothing heavy for light commands', () => {
    for (const words of [['--version'], ['images'], ['inspect', 'old:1'], ['build', '--help']]) {
      const script = `
        import { registerHooks } from 'node:module';
        const loaded = [];
        registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
        process.argv = [process.execPath, ${JSON.stringify(MAIN)}, '--root', ${JSON.stringify(root)}, ...${JSON.stringify(words)}];
        process.on('exit', () => process.stderr.write(loaded.join('\\n')));
        await import(${JSON.stringify(MAIN)});`;
      const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      expect(stderr).toContain('src/cli/main.ts');
      expect(stderr).not.toMatch(/node_modules|node:http|node:net|node:worker_threads|\/grammar\//);
    }
  });
});
