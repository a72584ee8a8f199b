import type { BuildEvent } from '../progress/events.ts';

/** A vertex for work of the builder's own, which is no step. */
export interface OwnVertex {
  vertex: string;
  /** As displays show it. */
  name: string;
  emit: (event: BuildEvent) => void;
  /** What fails after its abort counts as canceled. */
  signal: AbortSignal;
  /** What is shown of an error. Default: its message. */
  textOf?: (error: unknown) => string;
}

/** Does work that displays see as a vertex, from its beginning to its end. What it fails with is shown and thrown. */
export async function asOwnVertex<Result>(own: OwnVertex, work: () => Promise<Result>): Promise<Result> {
  const { vertex, name, emit } = own;
  emit({ type: 'announced', vertex, name, inputs: [], internal: true });
  emit({ type: 'started', vertex, time: Date.now() });
  try {
    const result = await work();
    emit({ type: 'ended', vertex, time: Date.now(), outcome: 'done' });
    return result;
  } catch (error) {
    endFailed(own, error);
    throw error;
  }
}

/** Says that a vertex which was told of before has failed, or was canceled. */
export function endFailed(own: Omit<OwnVertex, 'name'>, error: unknown): void {
  const { vertex, emit, signal, textOf = messageOf } = own;
  const outcome = signal.aborted ? 'canceled' : 'failed';
  emit({ type: 'ended', vertex, time: Date.now(), outcome, error: textOf(error) });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
