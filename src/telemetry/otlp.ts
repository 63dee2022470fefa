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
  const common = { resource, instrumentationScope: { name: 'umbra' }, events: [], ended: true } as const;
  const dropped = { droppedAttributesCount: 0, droppedEventsCount: 0, droppedLinksCount: 0 };
  const exported = (span: Span): ExportedSpan => {
    const { name, kind, traceId, parent, state, start, end, failure, attributes, link } = span;
    const traceState = state === '' ? {} : { traceState: createTraceState(state) };
    const context = (spanId: string, isRemote: boolean): SpanContext => ({
      ...{ traceId, spanId, traceFlags: SAMPLED, isRemote },
      ...traceState,
    });
    return {
      ...{ ...common, ...dropped, name, kind: KINDS[kind], attributes, events: [] },
      spanContext: () => context(span.spanId, false),
      ...(parent && { parentSpanContext: context(parent.spanId, parent.isRemote) }),
      ...{ startTime: hrTime(start), endTime: hrTime(end), duration: hrTime(end - start) },
      status: failure === null ? { code: UNSET } : { code: ERROR, message: failure },
      links: link === null ? [] : [{ context: { ...link, traceFlags: SAMPLED, isRemote: true, ...traceState } }],
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

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
