import type { ContextSource } from '../context/context-source.ts';
import type { Selection } from '../context/selection.ts';
import { formatPlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import type { ProgressSink } from '../progress/sink.ts';
import type { BuildInput } from './sources/build-input.ts';

/**
 * The builder's own work under BuildKit's names, which people look for in logs: the Dockerfile and the ignore file
 * read, images looked up, files of contexts selected. Each is told once in a build.
 */
export class InternalVertices {
  readonly #emit: (event: BuildEvent) => void;
  readonly #begun = new Set<string>();
  readonly #loads = new Map<string, ContextLoad>();

  /** Told are displays that want to know; the record of a build has its steps. */
  constructor(display: ProgressSink | undefined) {
    this.#emit = display?.internals === true ? (event) => display.event(event) : () => {};
  }

  /** The Dockerfile that was read since `since`. Where there is none the error says all. */
  definition({ file, text }: BuildInput, since: number): void {
    const name = file === '-' ? 'Dockerfile' : file.slice(file.lastIndexOf('/') + 1);
    this.#whole('definition', `load build definition from ${name}`, since, {
      id: 'transferring dockerfile:',
      bytes: Buffer.byteLength(text),
    });
  }

  /** The ignore file, read with the context; a context without one is told, too, as by BuildKit. */
  ignoreFile({ ignoreFile }: ContextSource): void {
    const bytes = Buffer.byteLength(ignoreFile?.text ?? '');
    this.#whole('ignore file', 'load .dockerignore', Date.now(), { id: 'transferring context:', bytes });
  }

  /** An image is looked up, of several platforms for this one; what is returned is told what went wrong, if anything. */
  metadata(reference: string, platform?: Platform): (error?: string) => void {
    const prefix = platform === undefined ? '' : `${formatPlatform(platform)} `;
    const vertex = `metadata ${prefix}${reference}`;
    if (!this.#begin(vertex, `[${prefix}internal] load metadata for ${reference}`)) return () => {};
    return (error) => this.#end(vertex, error);
  }

  /** Files of the build context or a named one are selected. The time is that until the first quiet moment. */
  async context(name: string | undefined, select: () => Promise<Selection>): Promise<Selection> {
    const vertex = name === undefined ? 'context' : `context ${name}`;
    const title = name === undefined ? '[internal] load build context' : `[context ${name}] load from client`;
    const load = this.#loads.get(vertex) ?? { running: 0, bytes: 0, ended: false };
    this.#loads.set(vertex, load);
    this.#begin(vertex, title);
    load.running++;
    try {
      const selection = await select();
      load.bytes += sizeOf(selection);
      return selection;
    } finally {
      load.running--;
      if (load.running === 0 && !load.ended) {
        load.ended = true;
        this.#status(vertex, { id: `transferring ${name ?? 'context'}:`, bytes: load.bytes });
        // The step whose files are missing has failed, not this.
        this.#end(vertex, undefined);
      }
    }
  }

  #whole(vertex: string, title: string, since: number, status: { id: string; bytes: number }): void {
    if (!this.#begin(vertex, `[internal] ${title}`, since)) return;
    this.#status(vertex, status);
    this.#end(vertex, undefined);
  }

  #begin(vertex: string, name: string, time = Date.now()): boolean {
    if (this.#begun.has(vertex)) return false;
    this.#begun.add(vertex);
    this.#emit({ type: 'announced', vertex, name, inputs: [], internal: true });
    this.#emit({ type: 'started', vertex, time });
    return true;
  }

  #status(vertex: string, { id, bytes }: { id: string; bytes: number }): void {
    this.#emit({ type: 'status', vertex, id, current: bytes, unit: 'bytes', time: Date.now(), done: true });
  }

  #end(vertex: string, error: string | undefined): void {
    const time = Date.now();
    if (error === undefined) this.#emit({ type: 'ended', vertex, time, outcome: 'done' });
    else this.#emit({ type: 'ended', vertex, time, outcome: 'failed', error });
  }
}

interface ContextLoad {
  running: number;
  bytes: number;
  ended: boolean;
}

function sizeOf({ sources }: Selection): number {
  let bytes = 0;
  for (const { entries } of sources) for (const { node } of entries) bytes += node.size;
  return bytes;
}
