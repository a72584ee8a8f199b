import type { FetchProgress } from '../../context/fetch-progress.ts';
import type { BuildEvent } from '../../progress/events.ts';

/** Reports on one fetch come this far apart. */
const INTERVAL_MS = 100;

/** Shows what is fetched as steps of the builder's own, named as BuildKit names them, with the bytes so far. */
export function fetchVertices(emit: (event: BuildEvent) => void): FetchProgress {
  let count = 0;
  return ({ kind, address }) => {
    const vertex = `fetch ${++count}`;
    const id = kind === 'git' ? 'receiving objects' : 'downloading';
    const name = kind === 'git' ? `[internal] load git source ${address}` : address;
    emit({ type: 'announced', vertex, name, inputs: [], internal: true });
    emit({ type: 'started', vertex, time: Date.now() });
    let last: { bytes: number; total: number | undefined } | undefined;
    let next = 0;
    const status = (time: number, done: boolean): void => {
      const { bytes, total } = last!;
      const amount = total === undefined ? {} : { total };
      emit({ type: 'status', vertex, id, current: bytes, ...amount, unit: 'bytes', time, done });
    };
    return {
      received(bytes, total) {
        last = { bytes, total };
        const time = Date.now();
        if (time < next) return;
        next = time + INTERVAL_MS;
        status(time, false);
      },
      ended(outcome, error) {
        const time = Date.now();
        if (last !== undefined) status(time, outcome === 'done');
        const message = error instanceof Error ? error.message : String(error);
        emit({
          type: 'ended',
          vertex,
          time,
          outcome: outcome === 'unchanged' ? 'cached' : outcome,
          ...(outcome === 'failed' ? { error: message } : {}),
        });
      },
    };
  };
}
