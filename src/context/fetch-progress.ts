/** Told of what is fetched from elsewhere, for displays. */
export type FetchProgress = (source: FetchedSource) => FetchReport;

export interface FetchedSource {
  kind: 'web' | 'git';
  /** Without credentials. */
  address: string;
}

/** The end of one fetch that it reports to. */
export interface FetchReport {
  /** Bytes that have come, and how many there are, where that is known. */
  received(bytes: number, total?: number): void;
  /** `unchanged`: what was kept is still right. */
  ended(outcome: 'done' | 'unchanged' | 'failed', error?: unknown): void;
}

/** Runs a fetch and reports its end; `unchanged` tells from its result whether anything came. */
export async function reportFetch<T>(
  progress: FetchProgress | undefined,
  source: FetchedSource,
  fetch: (received: FetchReport['received']) => Promise<T>,
  unchanged: (result: T) => boolean = () => false,
): Promise<T> {
  if (progress === undefined) return await fetch(() => {});
  const report = progress(source);
  try {
    const result = await fetch((bytes, total) => report.received(bytes, total));
    report.ended(unchanged(result) ? 'unchanged' : 'done');
    return result;
  } catch (error) {
    report.ended('failed', error);
    throw error;
  }
}
