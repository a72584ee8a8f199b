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
}

export type OperationHandler = (params: never, context: OperationContext) => Promise<unknown>;

/** Serves the operations of a table on one connection, several at a time, until it closes. */
export function serve(socket: Duplex, operations: Record<string, OperationHandler>): Promise<void> {
  const running = new Map<number, AbortController>();
  const send = (frames: Buffer[]): Promise<void> => {
    let more = true;
    for (const frame of frames) more = socket.write(frame);
    return more || socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('drain', resolve));
  };

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
  };

  const reader = new FrameReader(receive);
  socket.on('data', (chunk: Buffer) => reader.push(chunk));
  return new Promise((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.on('end', () => resolve());
  });
}
