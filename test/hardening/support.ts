import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { TarHeader } from '../../src/layer/tar-format.ts';
import { encodeTarHeader, endOfArchive } from '../../src/layer/tar-write.ts';
import { findProgram } from '../../tools/base/programs.ts';
import type { SlipwayResult } from '../support/slipway.ts';
import { BASE_IMAGE, type SuiteStore, suiteStore } from '../support/suite-store.ts';

export const FROM = `FROM ${BASE_IMAGE}\n`;

/** The runtimes that this machine can run steps with, the embedded one first. */
export const RUNTIMES = ['embedded', ...(findProgram('runc') === undefined ? [] : ['runc'])];

/** An entry of an archive; a directory's path ends in a slash. */
export type Part = Partial<TarHeader> & { path: string; content?: string | Buffer };

/** A tar archive of these entries, written as they are said, sane or not. */
export function makeTar(parts: readonly Part[]): Buffer {
  const blocks = parts.flatMap(({ content = '', ...part }) => {
    const data = Buffer.from(content as string);
    const type = part.path.endsWith('/') ? ('directory' as const) : ('file' as const);
    const mode = type === 'directory' ? 0o755 : 0o644;
    const header = { type, mode, uid: 0, gid: 0, mtimeNs: 0n, size: data.length, ...part };
    return [encodeTarHeader(header), data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, endOfArchive]);
}

/** An image as `docker save` writes it, with whatever is said about it. */
export function dockerArchive(image: {
  tag: string;
  layers: readonly Buffer[];
  config?: object;
  history?: readonly object[];
}): Buffer {
  const { layers, config = {}, history } = image;
  const digests = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
  const document = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: digests },
    ...(history && { history }),
  };
  const names = layers.map((_, index) => `layer-${index}.tar`);
  return makeTar([
    { path: 'config.json', content: JSON.stringify(document) },
    ...layers.map((content, index) => ({ path: names[index]!, content })),
    {
      path: 'manifest.json',
      content: JSON.stringify([{ Config: 'config.json', RepoTags: [image.tag], Layers: names }]),
    },
  ]);
}

/** A folder of the machine that no build may read, write or clean up. */
export interface Outside {
  readonly path: string;
  /** Fails unless everything is as it was. */
  expectUntouched(): void;
}

/** What the file in it holds. */
export const OUTSIDE_CONTENT = 'of the machine';

/** Gives the suite in whose body it is called such a folder: a file, an empty file, empty directories. */
export function outsideFolder(): Outside {
  let path = '';
  let before = '';
  beforeAll(() => {
    path = mkdtempSync(join(tmpdir(), 'slipway-outside-'));
    mkdirSync(join(path, 'deep/empty'), { recursive: true });
    writeFileSync(join(path, 'file'), OUTSIDE_CONTENT, { mode: 0o600 });
    writeFileSync(join(path, 'nothing'), '');
    before = listing(path);
  });
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return {
    get path() {
      return path;
    },
    expectUntouched() {
      expect(listing(path)).toBe(before);
      expect(readFileSync(join(path, 'file'), 'utf8')).toBe(OUTSIDE_CONTENT);
    },
  };
}

/** Names, types, modes, owners, sizes and times below a folder, its own included. */
function listing(folder: string): string {
  return execFileSync('find', [folder, '-printf', '%P %y %m %U:%G %s %T@ %C@\n'], { encoding: 'utf8' })
    .split('\n')
    .sort()
    .join('\n');
}

export interface BuildRequest {
  files?: Readonly<Record<string, string | Buffer>>;
  flags?: readonly string[];
  /** Makes what files cannot be written as, in the context's folder. */
  prepare?: (context: string) => void;
}

export interface HardeningStore extends SuiteStore {
  /** Builds a Dockerfile as `test/built`, with the plain log on standard error. */
  build(dockerfile: string, request?: BuildRequest): Promise<SlipwayResult>;
  /** The same, which has to succeed; gives what was printed by the step whose name holds `title`. */
  log(dockerfile: string, title: string, request?: BuildRequest): Promise<string>;
}

/** A store with the base image, and builds of small contexts. */
export function hardeningStore(): HardeningStore {
  const store = suiteStore();
  let count = 0;
  const build = (dockerfile: string, { files = {}, flags = [], prepare }: BuildRequest = {}) => {
    const context = store.context(`context-${count++}`, { ...files, Dockerfile: dockerfile });
    prepare?.(context);
    const args = ['build', '--progress=plain', '-t', 'test/built', ...flags, context];
    return store.run(args, { cwd: context });
  };
  return {
    get root() {
      return store.root;
    },
    run: (args, options) => store.run(args, options),
    ok: (args, options) => store.ok(args, options),
    context: (name, files) => store.context(name, files),
    build,
    async log(dockerfile, title, request) {
      const { exitCode, stderr } = await build(dockerfile, request);
      if (exitCode !== 0) throw new Error(stderr);
      return logOf(stderr, title);
    },
  };
}

/** What a step has printed, out of a plain log. */
export function logOf(plain: string, title: string): string {
  const head = plain.split('\n').find((line) => line.startsWith('#') && line.includes(title));
  const number = head?.split(' ')[0];
  if (number === undefined) throw new Error(`no step is called ${title}:\n${plain}`);
  return plain
    .split('\n')
    .flatMap((line) => {
      const match = /^(#\d+) \d+\.\d+ (.*)$/.exec(line);
      return match?.[1] === number ? [`${match[2]}\n`] : [];
    })
    .join('');
}

/** Names in the top layer of `test/built`, or of the layer counted from the top. */
export async function topLayer(store: SuiteStore, index = -1): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-layer-'));
  try {
    await store.ok(['save', '-o', join(folder, 'image.tar'), 'test/built']);
    execFileSync('tar', ['-xf', join(folder, 'image.tar'), '-C', folder]);
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
      Layers: string[];
    }[];
    const layer = manifest[0]!.Layers.at(index)!;
    return execFileSync('tar', ['-tf', join(folder, layer)], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is left of builds that have ended: directories of steps and temporary files. */
export function remains(root: string): string[] {
  return ['active', 'tmp'].flatMap((name) => {
    try {
      return readdirSync(join(root, name)).map((entry) => `${name}/${entry}`);
    } catch {
      return [];
    }
  });
}
