import {
  context,
  metrics as allMetrics,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Histogram,
  type Meter,
  type Tracer,
} from '@opentelemetry/api';
import type { Refresh, SessionEvents } from '../auth/session/listeners.js';
import type { Answer, Link } from '../call/call.js';
import type { Place } from '../call/chain.js';
import { platformOf, type Clock, type Platform } from '../platform.js';
import { UmbraError } from '../umbra-error.js';
import type { Traced } from './traced.js';

export interface TelemetryOptions extends Partial<Pick<Platform, 'clock'>> {
  /** By default that of the application's OpenTelemetry, under the name `@umbra/client`. */
  readonly tracer?: Tracer;
  readonly meter?: Meter;
}

/** Spans and histograms. They hold names of calls, codes and times: no credentials, no things and no states. */
export interface Telemetry {
  /** Gives each call a span `umbra.<name>`, and its request the context of it. */
  readonly tracing: Link;
  /** Counts the time of each call in the histogram `umbra.call.duration`. */
  readonly metrics: Link;
  /** The same as both for a device: its option `traced`. */
  readonly traced: Traced;
  /** Adds both links to a client, outermost. @returns the client */
  use<C extends Usable>(client: C): C;
  /** Gives each attempt to get a token a span `token.refresh`, and its time to a histogram. What it returns ends that. */
  session(session: Heard): () => void;
}

/** A client, as far as it is used here. */
interface Usable {
  use(link: Link, place?: Place): unknown;
}
/** An `AuthSession`, as far as it is used here. */
interface Heard {
  on(event: 'refresh', listener: (refresh: SessionEvents['refresh']) => void): () => void;
}

const SCOPE = '@umbra/client';
/** Seconds. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * What a client, a device or a session does, as spans and metrics by OpenTelemetry. Without an SDK of it in the process
 * nothing is recorded. No errors.
 */
export function telemetry(options: TelemetryOptions = {}): Telemetry {
  const { tracer = trace.getTracer(SCOPE), meter = allMetrics.getMeter(SCOPE) } = options;
  const { clock } = platformOf(options);
  const secondsOf = (name: string, description: string): Histogram =>
    meter.createHistogram(name, { unit: 's', description, advice: { explicitBucketBoundaries: BOUNDS } });
  const refreshes = secondsOf('token.refresh.duration', 'Attempts to get an access token');
  const traced = tracedBy(tracer);
  const timed = timedBy(secondsOf('umbra.call.duration', 'Calls of the service, with all their attempts'), clock);

  const tracing: Link = (call, next) =>
    traced(call.name, (carrier) => next({ ...call, headers: { ...call.headers, ...carrier } }), answerStatus);
  const metrics: Link = (call, next) => timed(call.name, () => next(call), answerStatus);
  return {
    ...{ tracing, metrics },
    traced: (name, run) => traced(name, (carrier) => timed(name, () => run(carrier), noStatus), noStatus),
    use(client) {
      client.use(tracing, { name: 'tracing', before: 'log' });
      client.use(metrics, { name: 'metrics', before: 'log' });
      return client;
    },
    session: (session) =>
      session.on('refresh', (refresh) => {
        const { durationMs, error, reason } = refresh;
        const attributes = { 'token.refresh_reason': reason, ...attributesOf(error, refreshStatus(refresh)) };
        refreshes.record(durationMs / 1_000, attributes);
        const end = clock.now();
        const times = { kind: SpanKind.CLIENT, startTime: end - durationMs };
        const span = tracer.startSpan('token.refresh', {
          ...times,
          attributes: { ...attributes, ...aboutToken(refresh) },
        });
        if (error) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(end);
      }),
  };
}

type Observed = <T>(
  name: string,
  run: (carrier: Readonly<Record<string, string>>) => Promise<T>,
  statusOf: (result: T) => number | undefined,
) => Promise<T>;

const tracedBy =
  (tracer: Tracer): Observed =>
  (name, run, statusOf) =>
    tracer.startActiveSpan(`umbra.${name}`, { kind: SpanKind.CLIENT }, async (span) => {
      const carrier: Record<string, string> = {};
      propagation.inject(context.active(), carrier);
      try {
        const result = await run(carrier);
        span.setAttributes(attributesOf(null, statusOf(result)));
        return result;
      } catch (error) {
        span.setAttributes(attributesOf(error));
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });

const timedBy =
  (histogram: Histogram, clock: Clock): Observed =>
  async (name, run, statusOf) => {
    const start = clock.monotonic();
    const record = (attributes: Attributes): void =>
      histogram.record((clock.monotonic() - start) / 1_000, { 'umbra.call': name, ...attributes });
    try {
      const result = await run({});
      record(attributesOf(null, statusOf(result)));
      return result;
    } catch (error) {
      record(attributesOf(error));
      throw error;
    }
  };

const answerStatus = ({ status }: Answer): number => status;
/** MQTT has none. */
const noStatus = (): undefined => undefined;

/** One that another process or tab had got made no request here. */
const refreshStatus = ({ error, isShared }: Refresh): number | undefined => (error || isShared ? undefined : 200);

const aboutToken = ({ isShared, ttlMs }: Refresh): Attributes => ({
  'token.shared': isShared,
  ...(ttlMs !== null && { 'token.ttl_ms': ttlMs }),
});

/** Codes alone: messages and causes may say more than a span should hold. */
function attributesOf(error: unknown, status?: number): Attributes {
  const failed = error instanceof UmbraError ? error : null;
  const code = failed?.status ?? status;
  return {
    ...(code !== undefined && { 'http.status_code': code }),
    ...(error !== null && { 'error.type': failed?.code ?? 'unknown' }),
  };
}
