/** Bytes of a heap beyond which collecting it, some 10 ms for each 100 MB that live, is worth what comes back. */
const WORTH_COLLECTING = 64 << 20;

/**
 * Gives back what earlier work has left before a thread begins that needs as much again. V8 would wait for its own
 * limit: a COPY of 200,000 files leaves 100 MB.
 */
export function shrinkHeap(): void {
  if (process.memoryUsage().heapTotal > WORTH_COLLECTING) collect();
}

/** The flag is set no longer than it takes to get hold of the function: V8 takes no kept code under other flags. */
function collect(): void {
  // Few workers come here: the others need not load these modules.
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  const { runInNewContext } = process.getBuiltinModule('node:vm');
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  gc();
}
