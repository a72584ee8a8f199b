import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { SlipwayError } from '../../src/errors/index.ts';
import { ProtocolClient } from '../../src/execute/protocol/client.ts';
import { encodeFrame, type Frame, FrameReader } from '../../src/execute/protocol/frames.ts';
import { type OperationHandler, serve } from '../../src/execute/protocol/server.ts';

const open: { close(): void }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** Two ends of a real unix socket: a client, and a server of `operations`. */
async function connected(
  operations: Record<string, OperationHandler>,
): Promise<{ client: ProtocolClient; socket: Socket }> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-protocol-'));
  const path = join(folder, 'socket');
  const server = createServer((socket) => void serve(socket, operations));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const socket = connect(path);
  open.push({
    close: () => {
      socket.destroy();
      server.close();
      rmSync(folder, { recursive: true });
    },
  });
  return { client: new ProtocolClient(socket), socket };
}

describe('frames', () => {
  test('come out as they went in, however the stream is cut', () => {
    const frame = fc.record({ text: fc.string(), payload: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 64 }), (frames, size) => {
        const bytes = Buffer.concat(
          frames.flatMap(({ text, payload }) => encodeFrame({ type: 'event', id: 1, event: text }, payload)),
        );
        const seen: Frame[] = [];
        const reader = new FrameReader((one) => seen.push(one));
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        expect(seen.map(({ header }) => (header as { event: string }).event)).toEqual(
          frames.map(({ text }) => text),
        );
        expect(seen.map(({ payload }) => Buffer.from(payload))).toEqual(
          frames.map((one) => Buffer.from(one.payload)),
        );
      }),
    );
  });

  test('of an impossible size are refused', () => {
    const reader = new FrameReader(() => {});
    expect(() => reader.push(Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]))).toThrow(/exceeds the limit/);
  });
});

describe('calls', () => {
  test('give results, several at a time', async () => {
    const { client } = await connected({ double: async ({ n }: { n: number }) => n * 2 });
    expect(await Promise.all([1, 2, 3].map((n) => client.call('double', { n })))).toEqual([2, 4, 6]);
  });

  test('give errors as they were thrown', async () => {
    const { client } = await connected({
      fail: async () => {
        throw new SlipwayError('step-failed', 'it broke', { code: 'BROKE', hint: 'mend it', exitCode: 7 });
      },
    });
    await expect(client.call('fail', {})).rejects.toMatchObject({
      kind: 'step-failed',
      message: 'it broke',
      code: 'BROKE',
      hint: 'mend it',
      exitCode: 7,
    });
    await expect(client.call('nothing', {})).rejects.toMatchObject({ code: 'UNKNOWN_OPERATION' });
  });

  test('carry events with their bytes in order, and stop the sender while nobody reads', async () => {
    let sent = 0;
    const { client, socket } = await connected({
      flood: async (_: unknown, { emit }) => {
        for (; sent < 200; sent++) await emit(sent, Buffer.alloc(64 * 1024, sent));
      },
    });
    const seen: number[] = [];
    const done = client.call(
      'flood',
      {},
      { onEvent: (event, payload) => seen.push((event as number) + payload.length) },
    );
    socket.pause();
    await expect.poll(() => sent).toBeGreaterThan(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent).toBeLessThan(200);
    socket.resume();
    await done;
    expect(seen).toEqual(Array.from({ length: 200 }, (_, n) => n + 64 * 1024));
  });

  test('can be canceled', async () => {
    const { client } = await connected({
      wait: (_: unknown, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () =>
            reject(new SlipwayError('canceled', 'stopped', { code: 'CANCELED' })),
          );
        }),
    });
    const controller = new AbortController();
    const call = client.call('wait', {}, { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toMatchObject({ kind: 'canceled' });
  });

  test('can ask the caller', async () => {
    const { client } = await connected({
      sum: async (_: unknown, { ask }) => (await ask<number>('left')) + (await ask<number>('right')),
    });
    const answers: Record<string, number> = { left: 20, right: 22 };
    expect(await client.call('sum', {}, { onAsk: (question: string) => answers[question] })).toBe(42);
    const failing = client.call(
      'sum',
      {},
      {
        onAsk: () => {
          throw new SlipwayError('conflict', 'no answer', { code: 'NO_ANSWER' });
        },
      },
    );
    await expect(failing).rejects.toMatchObject({ code: 'NO_ANSWER' });
  });

  test('fail when the connection ends', async () => {
    const { client, socket } = await connected({ wait: () => new Promise(() => {}) });
    const call = client.call('wait', {});
    socket.destroy();
    await expect(call).rejects.toMatchObject({ code: 'WORKER_LOST' });
    await expect(client.call('wait', {})).rejects.toMatchObject({ code: 'WORKER_LOST' });
  });
});
