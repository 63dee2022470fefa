import type { ServerResponse } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServiceErrorCode } from '../errors/error-table.js';
import type { Clock } from '../resilience/clock.js';
import type { Metrics } from '../telemetry/metrics.js';
import {
  kindOf,
  KINDS,
  OUTCOME_OF,
  outcomeOfStatus,
  type Kind,
  type RequestRecorder,
} from '../telemetry/request-metrics.js';
import type { Tracer } from '../telemetry/tracer.js';
import { declaredActions } from './declared-actions.js';
import { endTrace } from './request-traces.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Row of the error table that it was answered with. */
    fault?: ServiceErrorCode;
  }
  interface FastifyContextConfig {
    /** What its requests are counted as; none: no route of a controller. */
    kind?: Kind;
  }
}

/** A response with the request that it answers. */
interface Counted extends ServerResponse {
  counted?: FastifyRequest;
}

export interface CountParts {
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Counts and times the requests of the HTTP doors, each when its response is closed. One whose caller has gone before its
 * answer is not counted.
 * They are traced, where anything is.
 * @param timeoutMs what lies between the arrival of a request and its deadline
 */
export function addRequestCounts(
  app: NestFastifyApplication,
  server: FastifyInstance,
  { metrics, tracer, clock, timeoutMs }: CountParts,
): void {
  const actions = declaredActions(app);
  const recorders: Readonly<Record<Kind, RequestRecorder>> = metrics.requests.door('http', KINDS);
  let inFlight = 0;
  metrics.requests.readInFlight('http', () => inFlight);
  server.addHook('onRoute', (route) => {
    const method = [route.method].flat().join();
    const action = actions.get(`${method === 'HEAD' ? 'GET' : method} ${route.url}`);
    if (action !== undefined) route.config = { ...route.config, kind: kindOf(action) };
  });
  // One function serves all requests.
  const closed = function (this: Counted): void {
    inFlight--;
    if (this.counted === undefined) return;
    if (!this.headersSent) return tracer.drop(this.counted.trace);
    const { routeOptions, fault, deadline } = this.counted;
    const { statusCode } = this;
    const outcome = statusCode >= 400 && fault !== undefined ? OUTCOME_OF[fault] : outcomeOfStatus(statusCode);
    const kind = routeOptions.config.kind ?? 'other';
    const start = deadline - timeoutMs;
    const now = clock.monotonic();
    recorders[kind].record(outcome, now - start);
    if (!tracer.isOn) return;
    const traceId = endTrace(tracer, this.counted, { kind, outcome, start, end: now, statusCode });
    if (traceId !== null) recorders[kind].remember(now - start, traceId, clock.now());
  };
  server.addHook('onRequest', (request, reply, done) => {
    inFlight++;
    const response: Counted = reply.raw;
    response.counted = request;
    response.on('close', closed);
    done();
  });
}
