import { AsyncLocalStorage } from 'node:async_hooks';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Attributes,
  type Context,
  type Meter,
  type MetricOptions,
  type Span,
  type SpanOptions,
  type SpanStatus,
  type Tracer,
} from '@opentelemetry/api';

export interface RecordedSpan {
  readonly name: string;
  readonly options: SpanOptions;
  readonly attributes: Attributes;
  readonly status: SpanStatus | null;
  readonly spanId: string;
  /** Whether it has ended, and when it says so. */
  readonly ends: readonly unknown[];
}

export interface RecordedValue {
  readonly instrument: string;
  readonly options: MetricOptions;
  readonly value: number;
  readonly attributes: Attributes;
}

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

/** What an SDK of OpenTelemetry would export: all spans and all values of histograms, one by one. */
export class RecordedTelemetry {
  readonly spans: RecordedSpan[] = [];
  readonly values: RecordedValue[] = [];

  readonly tracer = {
    startSpan: (name: string, options: SpanOptions = {}) => this.#span(name, options),
    startActiveSpan: (name: string, options: SpanOptions, task: (span: Span) => unknown) => {
      const span = this.#span(name, options);
      return context.with(trace.setSpan(context.active(), span), () => task(span));
    },
  } as unknown as Tracer;

  readonly meter = {
    createHistogram: (instrument: string, options: MetricOptions) => ({
      record: (value: number, attributes: Attributes = {}) =>
        void this.values.push({ instrument, options, value, attributes }),
    }),
  } as unknown as Meter;

  #span(name: string, options: SpanOptions): Span {
    const spanId = (this.spans.length + 1).toString(16).padStart(16, '0');
    const attributes: Attributes = { ...options.attributes };
    const span = { name, options, attributes, status: null as SpanStatus | null, spanId, ends: [] as unknown[] };
    this.spans.push(span);
    return {
      spanContext: () => ({ traceId: TRACE_ID, spanId, traceFlags: 1 }),
      setAttributes: (more: Attributes) => void Object.assign(attributes, more),
      setStatus: (status: SpanStatus) => void (span.status = status),
      end: (time?: unknown) => void span.ends.push(time),
    } as unknown as Span;
  }
}

/**
 * Contexts that follow promises, and `traceparent`, as the SDK of an application sets them for the process. Returns a
 * function that takes them away.
 */
export function propagateContexts(): () => void {
  const storage = new AsyncLocalStorage<Context>();
  const manager: Parameters<typeof context.setGlobalContextManager>[0] = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, task, self, ...args) => storage.run(active, () => task.call(self as never, ...args)),
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator({
    inject(active, carrier: Record<string, string>) {
      const { traceId, spanId } = trace.getSpanContext(active)!;
      carrier['traceparent'] = `00-${traceId}-${spanId}-01`;
    },
    extract: (active) => active,
    fields: () => ['traceparent'],
  });
  return () => {
    context.disable();
    propagation.disable();
  };
}
