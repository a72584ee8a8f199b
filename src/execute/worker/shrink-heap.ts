/** Bytes of a heap beyond which collecting it, some 10 ms for each 100 MB that live, is worth what comes back. */
const WORTH_COLLECTING = 64 << 20;

/**
 * Gives back what earlier work has left before a thread begins that needs as much again. V8 would wait for its own
 * limit: a COPY of 200,000 files leaves 100 MB. Needs --expose-gc, which the worker is started with.
 */
export function shrinkHeap(): void {
  if (process.memoryUsage().heapTotal > WORTH_COLLECTING) globalThis.gc?.();
}
