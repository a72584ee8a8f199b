import { gunzipSync } from 'node:zlib';
import type { HistoryEntry, ImageConfig } from '../../src/image/types.ts';
import { type ArchiveEntry, readTar } from './read-tar.ts';

/** An image as its archive (`docker save`) has it. */
export interface ArchivedImage {
  document: ImageConfig;
  /** Bottom first. */
  layers: ArchiveEntry[][];
}

/** Reads the one image of a docker archive, its layers compressed or not. */
export function readImage(archive: Buffer): ArchivedImage {
  const files = new Map(readTar(archive).map((entry) => [entry.path, entry.content]));
  const file = (path: string): Buffer => {
    const content = files.get(path);
    if (content === undefined) throw new Error(`the archive has no ${path}`);
    return content;
  };
  const [manifest] = JSON.parse(file('manifest.json').toString()) as [{ Config: string; Layers: string[] }];
  const document = JSON.parse(file(manifest.Config).toString()) as ImageConfig;
  const layers = manifest.Layers.map((path) => {
    const bytes = file(path);
    return readTar(bytes.readUInt16BE(0) === 0x1f8b ? gunzipSync(bytes) : bytes);
  });
  return { document, layers };
}

/** What of an image's configuration has to be equal: all but what is its own in every build. */
export interface ComparedConfig {
  architecture: string;
  os: string;
  author?: string;
  config: Record<string, unknown>;
  history: HistoryEntry[];
  layers: number;
}

/** Takes out times, the layers' digests, and the fields that are null, which the engines write or leave out. */
export function comparedConfig({ document, layers }: ArchivedImage): ComparedConfig {
  const { architecture, os, author, config, history = [] } = document;
  return {
    architecture,
    os,
    ...(author === undefined ? {} : { author }),
    config: Object.fromEntries(
      Object.entries(config)
        .filter(([, value]) => value !== null)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    history: history.map(({ created: _, ...entry }) => entry),
    layers: layers.length,
  };
}
