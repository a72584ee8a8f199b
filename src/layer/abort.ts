import { SlipwayError } from '../errors/index.ts';

/** A look at whether the caller wants to stop: called often, so it must be cheap. */
export type Aborted = () => boolean;

/** Throws `canceled` when `aborted` says so. */
export function throwIfAborted(aborted: Aborted | undefined): void {
  if (aborted?.()) throw new SlipwayError('canceled', 'canceled', { code: 'CANCELED' });
}
