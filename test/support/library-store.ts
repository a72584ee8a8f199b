import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll } from 'vitest';
import { importImage } from '../../src/engine/import.ts';
import { type BuildEvent, type BuildOptions, type BuildResult, build } from '../../src/index.ts';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { suiteFolder } from './folders.ts';

/** A small image with a shell, static, in the store of every suite. */
export const BASE = 'base';

/** A finished build. */
export interface Built extends BuildResult {
  events: BuildEvent[];
  /** What a step has printed, both streams as they came; `title` is a part of the step's name. */
  log(title: string): string;
  /** Names in a layer, as GNU tar lists them: of a layer counted from the base, or with -1 from the top. */
  layer(index: number): string[];
  /** A file in a layer. */
  file(index: number, path: string): string;
  /** The configuration document. */
  config(): ImageDocument;
}

/** What tests read of a configuration. */
export interface ImageDocument {
  config: Record<string, unknown>;
  history: { created_by?: string; empty_layer?: boolean }[];
}

export type LibraryBuild = Omit<Partial<BuildOptions>, 'dockerfile' | 'root'> & {
  /** Files of the context, which is empty without. */
  files?: Readonly<Record<string, string | Buffer>>;
};

/** A store of a suite that is built into by the library in this process, with the embedded runtime. */
export interface LibraryStore {
  readonly folder: string;
  readonly root: string;
  /** Builds a Dockerfile given as text. Rejects as `build`; events that came before go to `onEvent` too. */
  build(dockerfile: string, options?: LibraryBuild, onEvent?: (event: BuildEvent) => void): Promise<Built>;
  /** Makes an empty folder below that of the suite. */
  empty(): string;
  /** Makes a folder with these files. */
  files(files: Readonly<Record<string, string | Buffer>>): string;
}

/** Gives the suite in whose body it is called such a store, in memory; removed when the suite ends. */
export function libraryStore(): LibraryStore {
  const folder = suiteFolder('big');
  const store: LibraryStore = {
    get folder() {
      return folder.path;
    },
    get root() {
      return join(folder.path, 'store');
    },
    empty: () => mkdtempSync(join(folder.path, 'folder-')),
    files(files) {
      const directory = store.empty();
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), content);
      }
      return directory;
    },
    async build(dockerfile, { files = {}, ...options } = {}, onEvent = () => {}) {
      const events: BuildEvent[] = [];
      const image = join(store.empty(), 'image');
      const result = await build({
        context: options.context ?? store.files(files),
        runtime: 'embedded',
        outputs: [{ type: 'oci', dest: image, tar: false }],
        store: true,
        ...options,
        dockerfile,
        root: store.root,
        progress: {
          event(event) {
            events.push(event);
            onEvent(event);
          },
          close: async () => {},
        },
      });
      return { ...result, events, ...readers(events, image) };
    },
  };
  beforeAll(async () => {
    const { tar } = await makeBaseRootfs();
    const source = join(folder.path, 'base.tar');
    writeFileSync(source, tar);
    await importImage({ source, reference: BASE, root: store.root });
  });
  return store;
}

/** Output of the steps whose name holds `title`. */
export function logOf(events: readonly BuildEvent[], title: string): string {
  const vertices = new Set(
    events.flatMap((event) =>
      event.type === 'announced' && event.name.includes(title) ? [event.vertex] : [],
    ),
  );
  if (vertices.size === 0) throw new Error(`no step is called ${title}`);
  const pieces = events.flatMap((event) =>
    event.type === 'log' && vertices.has(event.vertex) ? [event.data] : [],
  );
  return Buffer.concat(pieces).toString();
}

function readers(events: BuildEvent[], image: string): Pick<Built, 'log' | 'layer' | 'file' | 'config'> {
  const json = (path: string): unknown => JSON.parse(readFileSync(join(image, path), 'utf8'));
  const blob = (digest: string): string => join('blobs', digest.replace(':', '/'));
  const manifest = (): { layers: { digest: string }[]; config: { digest: string } } => {
    const index = json('index.json') as { manifests: { digest: string }[] };
    return json(blob(index.manifests[0]!.digest)) as ReturnType<typeof manifest>;
  };
  const tar = (index: number, ...args: string[]): string => {
    const layer = join(image, blob(manifest().layers.at(index)!.digest));
    const [mode, ...rest] = args;
    return execFileSync('tar', [mode!, layer, ...rest], { encoding: 'utf8' });
  };
  return {
    log: (title) => logOf(events, title),
    layer: (index) => tar(index, '-tf').split('\n').filter(Boolean),
    file: (index, path) => tar(index, '-xOf', path),
    config: () => json(blob(manifest().config.digest)) as ImageDocument,
  };
}
