import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { renderError } from '../../src/cli/render-error.ts';
import { importImage } from '../../src/engine/import.ts';
import type { ImageConfig, Platform } from '../../src/image/types.ts';
import { type BuildEvent, type BuildOptions, type BuildResult, build } from '../../src/index.ts';
import { imageDocuments } from '../../src/store/images.ts';
import { openStore } from '../../src/store/store.ts';
import { readBases } from '../differential/cases.ts';
import { contentOf } from '../differential/content.ts';
import { listFiles } from '../differential/listing.ts';
import { makeTar } from '../differential/make-tar.ts';
import { makeTree } from '../differential/make-tree.ts';
import { type ArchivedImage, readImage } from '../differential/read-image.ts';
import { logOf } from '../support/library-store.ts';
import { ended } from '../support/slipway.ts';
import type { CaseSettings, Expectation } from './rule-data.ts';

/** An image's configuration, and its layers when they were asked for. */
export type BuiltImage = Pick<ArchivedImage, 'document'> & Partial<ArchivedImage>;

/** What came of a build. */
export interface Outcome {
  image?: BuiltImage;
  result?: BuildResult;
  events: BuildEvent[];
  /** What the command prints when it is refused, and its exit code. */
  refused?: { text: string; exitCode: number };
}

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const ARM: Platform = { os: 'linux', architecture: 'arm64' };

/**
 * Imports the images that cases stand on: those of the differential set, `base`, which has
 * /bin/sh as CMD, `b`, and one for another platform.
 */
export async function importBases(folder: string): Promise<void> {
  const root = join(folder, 'store');
  const source = join(folder, 'base.tar');
  for (const [reference, entries] of Object.entries(readBases())) {
    writeFileSync(source, makeTar(entries));
    await importImage({ source, reference, root });
    if (entries['bin/busybox'] !== undefined)
      await importImage({ source, reference: 'base', root, changes: ['CMD ["/bin/sh"]'] });
    else await importImage({ source, reference: 'b', root });
    await importImage({ source, reference: 'slipway.test/arm:1', root, platform: ARM });
  }
  rmSync(source);
}

/** How much of a built image is looked at. */
export type Wanted = 'nothing' | 'config' | 'files';

/** Builds with the library in this process, on the embedded runtime. */
export async function buildCase(
  settings: CaseSettings & { tag?: string },
  { folder, want }: { folder: string; want: Wanted },
): Promise<Outcome> {
  const context = mkdtempSync(join(folder, 'context-'));
  await makeTree(context, settings.context ?? {});
  const dest = join(folder, 'image.tar');
  const events: BuildEvent[] = [];
  const { dockerfile, stdin, options = {} } = settings;
  const chosen: Partial<BuildOptions> = {
    ...(dockerfile === undefined ? {} : { dockerfile: textOf(dockerfile) }),
    ...(stdin === undefined ? {} : { context: '-', stdin: chunks(stdin) }),
    ...pick(settings, ['buildArgs', 'labels', 'target', 'noCache', 'network', 'secrets', 'file']),
    ...options,
  };
  try {
    const result = await build({
      context,
      cwd: context,
      root: join(folder, 'store'),
      runtime: 'embedded',
      env: { PATH: process.env.PATH, SLIPWAY_PULL: 'never', ...settings.env },
      ...chosen,
      tags: settings.tag === undefined ? [] : [settings.tag],
      store: true,
      outputs: want === 'files' ? [{ type: 'docker', dest }] : [],
      progress: { event: (event) => void events.push(event), close: async () => {} },
    });
    if (want === 'nothing') return { result, events };
    const image =
      want === 'files' ? readImage(await readFile(dest)) : { document: documentOf(result.imageId, folder) };
    return { result, events, image };
  } catch (error) {
    return { events, refused: renderError(error, { path: 'slipway build', debug: false }) };
  } finally {
    rmSync(context, { recursive: true, force: true });
    rmSync(dest, { force: true });
  }
}

/** Builds with the command, given the words of a case. */
export async function commandCase(
  settings: CaseSettings & { command?: string[] },
  { folder }: { folder: string },
): Promise<Outcome> {
  const context = mkdtempSync(join(folder, 'context-'));
  await makeTree(context, settings.context ?? {});
  const dest = join(folder, 'image.tar');
  const words = [
    '--progress=quiet',
    '-f',
    '-',
    '-o',
    `type=docker,dest=${dest}`,
    ...(settings.command ?? []),
  ];
  try {
    const child = spawn(process.execPath, [MAIN, 'build', ...words, context], {
      env: {
        PATH: process.env.PATH,
        NO_COLOR: '1',
        SLIPWAY_PULL: 'never',
        SLIPWAY_ROOT: join(folder, 'store'),
        ...settings.env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(textOf(settings.dockerfile ?? []));
    const { exitCode, stderr } = await ended(child);
    if (exitCode !== 0) return { events: [], refused: { text: stderr, exitCode: exitCode ?? -1 } };
    return { events: [], image: readImage(await readFile(dest)) };
  } finally {
    rmSync(context, { recursive: true, force: true });
    rmSync(dest, { force: true });
  }
}

/** Reads a configuration from the store, which spares the worker that reads layers. */
function documentOf(id: string, folder: string): ImageConfig {
  using store = openStore(join(folder, 'store'));
  return imageDocuments(store, id)!.parsed;
}

/** Compares what came of a build with what a case says. */
export function checkOutcome(outcome: Outcome, expected: Expectation): void {
  const { refused, image, result, events } = outcome;
  if (expected.fails !== undefined) {
    if (refused === undefined) throw new Error('it was built');
    for (const text of [...expected.fails, ...(expected.hints ?? [])]) expect(refused.text).toContain(text);
    expect(refused.exitCode).toBe(1);
    return;
  }
  if (refused !== undefined) throw new Error(refused.text);
  if (image !== undefined) checkImage(image, expected);
  if (result === undefined) return;
  const { warnings, unusedBuildArgs, ran, reused, logs = {} } = expected;
  if (warnings !== undefined)
    expect(
      result.warnings.map(({ code, message, range }) => `${code}: ${message}, line ${range.start.line}`),
    ).toEqual(warnings);
  if (unusedBuildArgs !== undefined) expect(result.unusedBuildArgs).toEqual(unusedBuildArgs);
  if (ran !== undefined) expect({ ran: result.ran }).toEqual({ ran });
  if (reused !== undefined) expect({ reused: result.reused }).toEqual({ reused });
  if (expected.steps !== undefined)
    expect(
      events.flatMap((event) => (event.type === 'announced' && !event.internal ? [event.name] : [])),
    ).toEqual(expected.steps);
  for (const [title, text] of Object.entries(logs)) expect(logOf(events, title)).toBe(text);
}

/** The part that any engine's image can be asked. */
export function checkImage({ document, layers = [] }: BuiltImage, expected: Expectation): void {
  const { files = {}, entries = {}, config = {} } = expected;
  const listing = listFiles(layers);
  const contents = new Map<string, string>();
  for (const layer of layers)
    for (const { path, content, type } of layer)
      if (type === '0') contents.set(`/${path.replace(/^(?:\.?\/)+/, '')}`, content.toString());
  for (const [path, text] of Object.entries(files)) {
    const there = listing[path] === undefined ? null : (contents.get(path) ?? listing[path]);
    expect({ [path]: there }).toEqual({ [path]: text });
  }
  for (const [path, line] of Object.entries(entries)) {
    const words = line.split(' ').length;
    expect({ [path]: listing[path]?.split(' ').slice(0, words).join(' ') }).toEqual({ [path]: line });
  }
  const own = document.config as Record<string, unknown>;
  for (const [key, value] of Object.entries(config))
    expect({ [key]: own[key] ?? null }).toEqual({ [key]: value });
  if (expected.author !== undefined) expect(document.author).toBe(expected.author);
  if (expected.architecture !== undefined) expect(document.architecture).toBe(expected.architecture);
  if (expected.created !== undefined)
    expect([document.created, document.history?.at(-1)?.created]).toEqual(expected.created);
  if (expected.layers !== undefined) expect(document.rootfs.diff_ids.length).toBe(expected.layers);
  if (expected.history === undefined) return;
  const history = (document.history ?? []).filter(({ comment }) => comment === 'buildkit.dockerfile.v0');
  expect(history.map(({ created_by }) => created_by)).toEqual(expected.history);
}

/** What has to be looked at for an expectation. */
export function wantedBy({ files, entries, ...rest }: Expectation): Wanted {
  if (files !== undefined || entries !== undefined) return 'files';
  const { config, history, layers, author, architecture, created } = rest;
  const ofConfig = [config, history, layers, author, architecture, created];
  return ofConfig.some((value) => value !== undefined) ? 'config' : 'nothing';
}

async function* chunks(stdin: NonNullable<CaseSettings['stdin']>): AsyncGenerator<Buffer> {
  yield contentOf(typeof stdin === 'string' ? { text: stdin } : stdin);
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Partial<Pick<T, K>> {
  const present = keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]]));
  return Object.fromEntries(present) as Partial<Pick<T, K>>;
}

/** The text of a Dockerfile; `{x*5}` stands for five times x. */
export function textOf(lines: readonly string[]): string {
  return lines
    .join('\n')
    .replace(/\{(.)\*(\d+)\}/gu, (_, character: string, count: string) => character.repeat(Number(count)));
}
