import { isSmallLayer } from '../step/small-layer.ts';

/** What ends sooner has written little. Later looks, of a millisecond at most, come each after twice the time. */
const FIRST_LOOK_MS = 200;

/** Calls back once, when what a step has written so far is no small layer. */
export function watchChanges(directory: string, onLarge: () => void): { stop(): void } {
  let timer: NodeJS.Timeout;
  const lookIn = (ms: number): void => {
    timer = setTimeout(() => (isLarge(directory) ? onLarge() : lookIn(2 * ms)), ms);
    timer.unref();
  };
  lookIn(FIRST_LOOK_MS);
  return { stop: () => clearTimeout(timer) };
}

/** Names come and go meanwhile. */
function isLarge(directory: string): boolean {
  try {
    return !isSmallLayer(directory);
  } catch {
    return false;
  }
}
