import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { buildImageConfig } from '../../src/image/build-config.ts';
import type { ContainerConfig } from '../../src/image/types.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import { putImage } from '../../src/store/images.ts';
import { allocateLayer, completeLayer, type LayerRecord } from '../../src/store/layers.ts';
import { type LeaseId, layerDirectory } from '../../src/store/layout.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { bootId } from '../../src/sys/process-identity.ts';

const base = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const made: string[] = [];
const stores: Store[] = [];

/** A new empty directory, removed after the tests of the file. `shared`: where peers can see it. */
export function tempDir(options: { shared?: boolean } = {}): string {
  const dir = fs.mkdtempSync(join(options.shared === true ? tmpdir() : base, 'slipway-store-'));
  made.push(dir);
  return dir;
}

afterAll(() => {
  for (const store of stores.splice(0)) store.close();
  for (const dir of made.splice(0)) execFileSync('rm', ['-rf', dir]);
});

export function newStore(root = join(tempDir(), 'store')): Store {
  const store = openStore(root, { idMap: 'host' });
  stores.push(store);
  return store;
}

/** Path to text, to null for a directory, or to a program to be copied. */
export type Files = Record<string, string | null | { copy: string }>;

/** Writes files with a fixed time into a directory. */
export function writeFiles(directory: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const at = join(directory, path);
    fs.mkdirSync(content === null ? at : dirname(at), { recursive: true });
    if (content === null) continue;
    if (typeof content === 'string') fs.writeFileSync(at, content);
    else {
      fs.copyFileSync(content.copy, at);
      fs.chmodSync(at, 0o755);
    }
  }
  for (const path of [...fs.readdirSync(directory, { recursive: true, encoding: 'utf8' }), '.']) {
    fs.utimesSync(join(directory, path), 1_700_000_000, 1_700_000_000);
  }
}

/** A ready layer with these files, as the executor makes one. */
export function makeLayer(store: Store, lease: LeaseId, files: Files): LayerRecord {
  const id = allocateLayer(store, lease);
  const directory = layerDirectory(store.root, id);
  fs.mkdirSync(directory, { mode: 0o755 });
  writeFiles(directory, files);
  const { entries: _, ...digest } = hashLayer(directory);
  return completeLayer(store, id, { ...digest, bootId: bootId() });
}

/** An image of these layers. */
export function makeImage(
  store: Store,
  layers: readonly LayerRecord[],
  options: { tags?: string[]; config?: ContainerConfig; parent?: string } = {},
): string {
  const document = buildImageConfig({
    platform: { os: 'linux', architecture: 'amd64' },
    config: options.config ?? {},
    history: layers.map((_, i) => ({ created: '2024-01-01T00:00:00Z', created_by: `layer ${i}` })),
    diffIds: layers.map((layer) => layer.diffId),
    nowNs: 0n,
  });
  return putImage(store, {
    config: document.bytes,
    tags: options.tags ?? [],
    ...(options.parent === undefined ? {} : { parent: options.parent }),
  }).id;
}

/** `kind code: message` of what `body` throws, or its result. */
export function outcome(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    const { kind, code, message } = error as { kind: string; code: string; message: string };
    return `${kind} ${code}: ${message}`;
  }
}

/** As `outcome`, for promises. */
export async function outcomeOf(body: Promise<unknown>): Promise<unknown> {
  return body.then(
    (value) => value,
    (error: unknown) =>
      outcome(() => {
        throw error;
      }),
  );
}

/** Runs a module of this folder in a process of its own; its standard output is given to `onLine`. */
export function startScript(
  name: string,
  args: string[],
  onLine: (line: string) => void = () => {},
): ChildProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    lines.forEach(onLine);
  });
  return child;
}
