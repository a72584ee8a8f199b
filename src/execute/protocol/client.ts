import type { Duplex } from 'node:stream';
import { SlipwayError } from '../../errors/index.ts';
import { encodeFrame, type Frame, type FrameHeader, FrameReader } from './frames.ts';
import { fromWireError } from './wire-error.ts';

export interface CallOptions {
  payload?: Uint8Array;
  /** What the operation reports while it goes on. */
  onEvent?: (event: unknown, payload: Buffer) => void;
  /** Answers what the operation wants to know; JSON, or a promise of it. A thrown error ends the operation. */
  onAsk?: (question: never) => unknown;
  signal?: AbortSignal;
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  options: CallOptions;
}

/** The front's end of the connection: requests with results, events and cancellation. */
export class ProtocolClient {
  readonly #socket: Duplex;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed: SlipwayError | undefined;

  constructor(socket: Duplex) {
    this.#socket = socket;
    const reader = new FrameReader((frame) => this.#receive(frame));
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.on('error', () => this.fail(lostWorker('the connection broke')));
    socket.on('close', () => this.fail(lostWorker('it ended')));
  }

  /** Runs an operation in the worker; rejects with its error, or `canceled` when the signal aborts first. */
  call<R>(operation: string, params: unknown, options: CallOptions = {}): Promise<R> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      const id = this.#nextId++;
      const onAbort = (): void => this.#send(encodeFrame({ type: 'cancel', id }));
      const settle = (): void => {
        this.#pending.delete(id);
        options.signal?.removeEventListener('abort', onAbort);
      };
      this.#pending.set(id, {
        resolve: (value) => {
          settle();
          resolve(value as R);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        options,
      });
      this.#send(encodeFrame({ type: 'request', id, operation, params }, options.payload));
      if (options.signal?.aborted) onAbort();
      else options.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Everything that waits is rejected with `error`; later calls too. */
  fail(error: SlipwayError): void {
    this.#closed ??= error;
    for (const pending of [...this.#pending.values()]) pending.reject(this.#closed);
  }

  #send(frames: Buffer[]): void {
    if (this.#closed) return;
    for (const frame of frames) this.#socket.write(frame);
  }

  #answer(pending: Pending, { id, ask, question }: Extract<FrameHeader, { type: 'ask' }>): void {
    const send = (answer: unknown): void => {
      this.#send(encodeFrame({ type: 'answer', id, ask, answer: answer ?? null }));
    };
    const fail = (error: unknown): void => {
      pending.reject(error);
      this.#send(encodeFrame({ type: 'cancel', id }));
    };
    try {
      const answer = pending.options.onAsk?.(question as never);
      if (answer instanceof Promise) answer.then(send, fail);
      else send(answer);
    } catch (error) {
      fail(error);
    }
  }

  #receive({ header, payload }: Frame): void {
    const pending = this.#pending.get(header.id);
    if (!pending) return;
    if (header.type === 'event') pending.options.onEvent?.(header.event, payload);
    else if (header.type === 'ask') this.#answer(pending, header);
    else if (header.type === 'result') pending.resolve(header.result);
    else if (header.type === 'error') pending.reject(fromWireError(header.error));
  }
}

function lostWorker(what: string): SlipwayError {
  return new SlipwayError('unavailable', `the worker process is gone: ${what}`, {
    code: 'WORKER_LOST',
    hint: 'It was killed: by the kernel when memory ran out (see dmesg), or from outside. What was finished is kept: run the command again.',
  });
}
