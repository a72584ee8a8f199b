import type { BuildRecord } from '../build-record.ts';
import { endOf, type Span, spansOf } from '../spans.ts';

const PROCESS = 1;
const MICROSECONDS = 1000;

/**
 * A build as Chrome trace events (the "Trace Event Format", for chrome://tracing and Perfetto): complete events in
 * microseconds. What went on at the same time lies in different lanes; digests have lanes of their own, since they go
 * on behind the steps.
 */
export function chromeTrace(record: BuildRecord): object {
  const spans = spansOf(record);
  const builder: Span = {
    id: 'build',
    kind: 'task',
    name: `build ${record.id}`,
    started: record.started,
    ended: endOf(record),
  };
  const lanes = [
    { title: 'build', spans: [builder, ...spans.filter(({ kind }) => kind === 'task')], single: true },
    { title: 'steps', spans: spans.filter(({ kind }) => kind === 'step'), single: false },
    { title: 'digests', spans: spans.filter(({ kind }) => kind === 'digest'), single: false },
  ];
  const events: object[] = [metadata('process_name', 0, `slipway build ${record.subject.file}`)];
  let lane = 0;
  for (const { title, spans: own, single } of lanes) {
    const rows = single ? [own] : inLanes(own);
    for (const [index, row] of rows.entries()) {
      lane++;
      events.push(metadata('thread_name', lane, rows.length > 1 ? `${title} ${index + 1}` : title));
      for (const span of row) events.push(complete(span, lane));
    }
  }
  return { traceEvents: events, displayTimeUnit: 'ms', otherData: { build: record.id, state: record.state } };
}

function metadata(name: string, tid: number, value: string): object {
  return { name, ph: 'M', pid: PROCESS, tid, args: { name: value } };
}

function complete({ kind, name, started, ended, step }: Span, tid: number): object {
  return {
    name,
    cat: kind,
    ph: 'X',
    ts: Math.round(started * MICROSECONDS),
    dur: Math.max(0, Math.round((ended - started) * MICROSECONDS)),
    pid: PROCESS,
    tid,
    args: {
      ...(step?.outcome === undefined ? {} : { outcome: step.outcome }),
      ...(step?.size === undefined ? {} : { bytes: step.size }),
      ...(step?.diffId === undefined ? {} : { diffId: step.diffId }),
      ...(step?.line === undefined ? {} : { line: step.line }),
    },
  };
}

/** As few rows as there is room for, spans of one row one after the other. */
function inLanes(spans: readonly Span[]): Span[][] {
  const rows: Span[][] = [];
  for (const span of spans.toSorted((a, b) => a.started - b.started)) {
    const row = rows.find((one) => one.at(-1)!.ended <= span.started);
    if (row) row.push(span);
    else rows.push([span]);
  }
  return rows;
}
