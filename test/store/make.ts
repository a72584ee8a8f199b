import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImageConfig } from '../../src/image/build-config.ts';
import type { ContainerConfig } from '../../src/image/types.ts';
import { hashLayer } from '../../src/layer/pack.ts';
import { putImage } from '../../src/store/images.ts';
import { allocateLayer, completeLayer, type LayerRecord } from '../../src/store/layers.ts';
import { type LeaseId, layerDirectory } from '../../src/store/layout.ts';
import type { Store } from '../../src/store/store.ts';
import { bootId } from '../../src/sys/process-identity.ts';

/** Path to text, to null for a directory, or to a program to be copied. */
export type Files = Record<string, string | null | { copy: string }>;

/** Writes files with a fixed time into a directory. */
function writeFiles(directory: string, files: Files): void {
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
