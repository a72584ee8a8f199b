import { hash } from 'node:crypto';
import { type BuildRecord, stepName } from '../build-record.ts';
import { endOf, type Span, spansOf } from '../spans.ts';

const SPAN_KIND_INTERNAL = 1;
const STATUS = { unset: 0, ok: 1, error: 2 };

/**
 * A build as OpenTelemetry spans in OTLP's JSON encoding (what a collector takes at /v1/traces): one trace, the build
 * as its root, steps linked to what they waited for. Ids follow from the build's, so that sending it twice is no harm.
 */
export function otlpTrace(record: BuildRecord, version: string): object {
  const { id, subject, state, error } = record;
  const traceId = hash('sha256', `trace ${id}`, 'hex').slice(0, 32);
  const spanId = (name: string): string => hash('sha256', `span ${id} ${name}`, 'hex').slice(0, 16);
  const spans = spansOf(record);
  const timed = new Set(spans.map((span) => span.id));
  const root = {
    traceId,
    spanId: spanId('build'),
    name: 'slipway build',
    kind: SPAN_KIND_INTERNAL,
    ...times(record.started, endOf(record)),
    attributes: attributes({
      'slipway.build.id': id,
      'slipway.build.state': state,
      'slipway.dockerfile': subject.file,
      'slipway.context': subject.context,
      'slipway.target': subject.target,
      'slipway.platform': subject.platform,
      'slipway.image.id': record.imageId,
      'slipway.steps.cached': record.steps.filter(
        ({ outcome, kind }) => outcome === 'cached' && kind !== 'image',
      ).length,
    }),
    status: error
      ? { code: STATUS.error, message: error.message }
      : { code: state === 'done' ? STATUS.ok : STATUS.unset },
  };
  const children = spans.map((span) => ({
    traceId,
    spanId: spanId(span.id),
    parentSpanId: span.kind === 'digest' ? spanId(span.step!.id) : root.spanId,
    name: span.name,
    kind: SPAN_KIND_INTERNAL,
    ...times(span.started, span.ended),
    attributes: stepAttributes(span),
    links: linksOf(span)
      .filter((input) => timed.has(input))
      .map((input) => ({ traceId, spanId: spanId(input) })),
    status: statusOf(span),
  }));
  return {
    resourceSpans: [
      {
        resource: { attributes: attributes({ 'service.name': 'slipway', 'service.version': version }) },
        scopeSpans: [{ scope: { name: 'slipway', version }, spans: [root, ...children] }],
      },
    ],
  };
}

function times(started: number, ended: number): { startTimeUnixNano: string; endTimeUnixNano: string } {
  return { startTimeUnixNano: nanoseconds(started), endTimeUnixNano: nanoseconds(Math.max(started, ended)) };
}

/** Beyond what a double can hold: put together from whole microseconds. */
function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`;
}

function stepAttributes({ kind, step }: Span): object[] {
  return attributes({
    'slipway.kind': kind,
    ...(kind === 'step' && step
      ? {
          'slipway.step': stepName(step),
          'slipway.step.outcome': step.outcome,
          'slipway.step.line': step.line,
          'slipway.layer.diff_id': step.diffId,
          'slipway.layer.size': step.size,
          'slipway.step.log_size': step.logBytes,
        }
      : {}),
  });
}

function linksOf({ kind, step }: Span): string[] {
  if (kind !== 'step' || step === undefined) return [];
  return [...(step.parent === undefined ? [] : [step.parent]), ...step.reads];
}

function statusOf({ kind, step }: Span): object {
  if (kind === 'step' && step?.outcome === 'failed')
    return { code: STATUS.error, ...(step.error === undefined ? {} : { message: step.error }) };
  return { code: STATUS.unset };
}

function attributes(values: Record<string, string | number | undefined>): object[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [{ key, value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value } }];
  });
}
