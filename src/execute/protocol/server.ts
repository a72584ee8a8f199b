import type { Duplex } from 'node:stream';
import { SlipwayError } from '../../errors/index.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { toWireError } from './wire-error.ts';

/** What an operation may use while it runs. */
export interface OperationContext {
  /** Bytes that came with the request. */
  payload: Buffer;
  /** Aborted when the front cancels this request. */
  signal: AbortSignal;
  /** Reports to the front. Resolves when more may be sent: whoever produces faster than that must wait for it. */
  emit(event: unknown, payload?: Uint8Array): Promise<void>;
  /** Asks the front something; rejects with `canceled` when it cancels instead of answering. */
  ask<A>(question: unknown): Promise<A>;
}

export type OperationHandler = (params: never, context: OperationContext) => Promise<unknown>;

/** Serves the operations of a table on one connection, several at a time, until it closes. */
export function serve(socket: Duplex, operations: Record<string, OperationHandler>): Promise<void> {
  socket.setMaxListeners(0);
  const running = new Map<number, AbortController>();
  const asked = new Map<number, (answer: unknown) => void>();
  let asks = 0;
  const send = (frames: Buffer[]): Promise<void> => {
    let more = true;
    for (const frame of frames) more = socket.write(frame);
    return more || socket.destroyed
      ? Promise.resolve()
      : new Promise((resolve) => socket.once('drain', resolve));
  };

  const ask = <A>(id: number, question: unknown, signal: AbortSignal): Promise<A> =>
    new Promise((resolve, reject) => {
      const number = asks++;
      const onAbort = (): void => {
        asked.delete(number);
        reject(new SlipwayError('canceled', 'canceled', { code: 'CANCELED' }));
      };
      asked.set(number, (answer) => {
        signal.removeEventListener('abort', onAbort);
        asked.delete(number);
        resolve(answer as A);
      });
      signal.addEventListener('abort', onAbort, { once: true });
      void send(encodeFrame({ type: 'ask', id, ask: number, question }));
    });

  const handle = async (id: number, operation: string, params: unknown, payload: Buffer): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const handler = operations[operation];
      if (!handler) {
        throw new SlipwayError('internal', `unknown operation ${operation}`, { code: 'UNKNOWN_OPERATION' });
      }
      const context: OperationContext = {
        payload,
        signal: controller.signal,
        emit: (event, bytes) => send(encodeFrame({ type: 'event', id, event }, bytes)),
        ask: (question) => ask(id, question, controller.signal),
      };
      const result = await handler(params as never, context);
      await send(encodeFrame({ type: 'result', id, result: result ?? null }));
    } catch (error) {
      await send(encodeFrame({ type: 'error', id, error: toWireError(error) }));
    } finally {
      running.delete(id);
    }
  };

  const receive = ({ header, payload }: Frame): void => {
    if (header.type === 'request') void handle(header.id, header.operation, header.params, payload);
    else if (header.type === 'cancel') running.get(header.id)?.abort();
    else if (header.type === 'answer') asked.get(header.ask)?.(header.answer);
  };

  const reader = new FrameReader(receive);
  socket.on('data', (chunk: Buffer) => reader.push(chunk));
  return new Promise((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.on('end', () => resolve());
  });
}
