import { Socket } from 'node:net';
import { openPipe } from '../../sys/pipe.ts';
import type { Sys } from '../../sys/sys.ts';

/** The outer end of one of a container's output streams. */
export interface OutputPipe {
  /** For the container; closed here by `closeWriteEnd` once it has its own copy. */
  write: number;
  /** Resolves when every writer has closed its end and all data has been handed on. */
  drained: Promise<void>;
}

/**
 * A pipe whose data goes to `onData`; nothing more is read until the promise it returns has settled, so that a
 * chatty process waits instead of filling memory. When the promise is rejected there is nobody to hand data to any
 * more: the pipe is closed, and who writes to it learns so as from any broken pipe.
 */
export function outputPipe(sys: Sys, onData: (data: Buffer) => Promise<void> | void): OutputPipe {
  const { read, write } = openPipe(sys);
  const socket = new Socket({ fd: read, readable: true, writable: false });
  const drained = new Promise<void>((resolve) => {
    socket.on('data', (data: Buffer) => {
      const handed = onData(data);
      if (handed === undefined) return;
      socket.pause();
      handed.then(
        () => socket.resume(),
        () => socket.destroy(),
      );
    });
    socket.once('close', () => resolve());
    socket.once('error', () => resolve());
  });
  return { write, drained };
}
