import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { ProgressStream } from './clock.ts';
import type { BuildEvent, BuildOutlined, LineImaged, VertexAnnounced } from './events.ts';
import { safeJson } from './safe-text.ts';
import type { ProgressSink } from './sink.ts';

/** State of a vertex as BuildKit's `Vertex`: every message about it repeats all of it. */
interface RawVertex {
  digest: string;
  inputs?: string[];
  name: string;
  started?: string;
  completed?: string;
  cached?: true;
  error?: string;
}

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/**
 * BuildKit's solve-status messages (`client.SolveStatus`), one JSON object per line: `vertexes`, `statuses`, `logs`,
 * `warnings`. Vertices that are not named by a digest get the SHA-256 of their name.
 */
export function rawJsonSink(stream: ProgressStream): ProgressSink {
  const encoder = new RawEncoder();
  return {
    event(event) {
      if (event.type === 'outlined' || event.type === 'imaged') return;
      stream.write(`${safeJson(encoder.encode(event))}\n`);
    },
    close: () => Promise.resolve(),
  };
}

class RawEncoder {
  readonly #vertices = new Map<string, RawVertex>();
  readonly #statusStarts = new Map<string, string>();

  encode(event: Exclude<BuildEvent, BuildOutlined | LineImaged>): object {
    switch (event.type) {
      case 'announced':
        return { vertexes: [this.#announce(event)] };
      case 'started': {
        const vertex = this.#vertex(event.vertex);
        vertex.started = rfc3339(event.time);
        return { vertexes: [vertex] };
      }
      case 'ended': {
        const vertex = this.#vertex(event.vertex);
        vertex.started ??= rfc3339(event.time);
        vertex.completed = rfc3339(event.time);
        if (event.outcome === 'cached') vertex.cached = true;
        if (event.outcome === 'failed') vertex.error = event.error ?? 'failed';
        if (event.outcome === 'canceled') vertex.error = 'context canceled';
        return { vertexes: [vertex] };
      }
      case 'status': {
        const { digest } = this.#vertex(event.vertex);
        const timestamp = rfc3339(event.time);
        const key = `${digest} ${event.id}`;
        const started = this.#statusStarts.get(key) ?? timestamp;
        this.#statusStarts.set(key, started);
        return {
          statuses: [
            {
              id: event.id,
              vertex: digest,
              name: event.id,
              ...(event.total === undefined ? {} : { total: event.total }),
              current: event.current,
              timestamp,
              started,
              ...(event.done ? { completed: timestamp } : {}),
            },
          ],
        };
      }
      case 'log': {
        const { buffer, byteOffset, byteLength } = event.data;
        return {
          logs: [
            {
              vertex: this.#vertex(event.vertex).digest,
              stream: event.stream === 'stdout' ? 1 : 2,
              data: Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
              timestamp: rfc3339(event.time),
            },
          ],
        };
      }
      case 'warning':
        return {
          warnings: [
            {
              ...(event.vertex === undefined ? {} : { vertex: this.#vertex(event.vertex).digest }),
              level: 1,
              short: Buffer.from(`${event.code}: ${event.message}`).toString('base64'),
              ...(event.range === undefined
                ? {}
                : {
                    range: [
                      {
                        start: { line: event.range.start.line, character: event.range.start.column - 1 },
                        end: { line: event.range.end.line, character: event.range.end.column - 1 },
                      },
                    ],
                  }),
            },
          ],
        };
    }
  }

  #announce(event: VertexAnnounced): RawVertex {
    const inputs = event.inputs.map((input) => this.#vertex(input).digest);
    const known = this.#vertex(event.vertex);
    const { digest, name: _, ...rest } = known;
    const vertex = { digest, ...(inputs.length === 0 ? {} : { inputs }), name: event.name, ...rest };
    this.#vertices.set(event.vertex, vertex);
    return vertex;
  }

  #vertex(id: string): RawVertex {
    let vertex = this.#vertices.get(id);
    if (vertex === undefined) {
      const digest = SHA256.test(id) ? id : `sha256:${createHash('sha256').update(id).digest('hex')}`;
      vertex = { digest, name: id };
      this.#vertices.set(id, vertex);
    }
    return vertex;
  }
}

function rfc3339(time: number): string {
  const micros = Math.round((time % 1) * 1000);
  const text = new Date(Math.floor(time) + (micros === 1000 ? 1 : 0)).toISOString();
  const fraction = micros === 0 || micros === 1000 ? '' : String(micros).padStart(3, '0');
  return `${text.slice(0, -1)}${fraction}Z`;
}
