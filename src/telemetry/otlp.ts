import type { SpanContext } from '@opentelemetry/api';
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { SendSpans } from './span-queue.js';
import type { Span, SpanKind } from './span.js';

type ExportedSpan = Parameters<OTLPTraceExporter['export']>[0][number];

/** Milliseconds for one request to the receiver, its repetitions included. */
const TIMEOUT_MS = 10_000;
/** Numbers of the API. */
const KINDS: Readonly<Record<SpanKind, number>> = { internal: 0, server: 1, producer: 3 };
const UNSET = 0;
const ERROR = 2;
const SAMPLED = 1;
const EXPORTED = 0;

export interface OtlpOptions {
  /** With its path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the spans come from. */
  readonly resource: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/**
 * Sends spans by OTLP over HTTP, as protobuf. The packages are loaded by this call: nobody else needs them (ADR 0031).
 */
export async function otlpSender(options: OtlpOptions): Promise<SendSpans> {
  const { url, headers, resource: from, timeoutMs: timeoutMillis = TIMEOUT_MS } = options;
  const [{ OTLPTraceExporter: Exporter }, { resourceFromAttributes }, { createTraceState }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/api'),
  ]);
  const exporter = new Exporter({ url, headers: { ...headers }, timeoutMillis });
  const resource = resourceFromAttributes({ ...from });
  const instrumentationScope = { name: 'umbra' };
  // One literal: each spread into it costs as much as all the rest of a span.
  const exported = (span: Span): ExportedSpan => {
    const { traceId, parent, start, end, failure, link } = span;
    const traceState = span.state === '' ? undefined : createTraceState(span.state);
    const context = (spanId: string, isRemote: boolean): SpanContext =>
      traceState === undefined
        ? { traceId, spanId, traceFlags: SAMPLED, isRemote }
        : { traceId, spanId, traceFlags: SAMPLED, isRemote, traceState };
    const own = context(span.spanId, false);
    const from = parent === null ? undefined : context(parent.spanId, parent.isRemote);
    return {
      resource,
      instrumentationScope,
      name: span.name,
      kind: KINDS[span.kind],
      spanContext: () => own,
      ...(from && { parentSpanContext: from }),
      startTime: hrTime(start),
      endTime: hrTime(end),
      duration: hrTime(end - start),
      ended: true,
      attributes: span.attributes,
      events: [],
      links: link === null ? [] : [{ context: linked(link, traceState) }],
      status: failure === null ? { code: UNSET } : { code: ERROR, message: failure },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  };
  return (spans) =>
    new Promise((taken, lost) => {
      exporter.export(spans.map(exported), ({ code, error }) => {
        if (code === EXPORTED) taken();
        else lost(error ?? new Error('the receiver does not take them'));
      });
    });
}

function linked({ traceId, spanId }: NonNullable<Span['link']>, traceState?: SpanContext['traceState']): SpanContext {
  const context = { traceId, spanId, traceFlags: SAMPLED, isRemote: true };
  return traceState === undefined ? context : { ...context, traceState };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
