import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Kind, Outcome } from '../telemetry/request-metrics.js';
import type { Attributes } from '../telemetry/request-trace.js';
import { cellOf } from '../telemetry/sampling.js';
import type { TraceHeaders } from '../telemetry/trace-context.js';
import type { Tracer } from '../telemetry/tracer.js';

/**
 * Begins the traces of the requests of the HTTP doors, when it is known whose they are and before their handlers run; what
 * is refused before has none. Streams are not traced: they last. To be called after the hooks that ask for access were
 * added.
 */
export function addRequestTraces(server: FastifyInstance, tracer: Tracer): void {
  if (!tracer.isOn) return;
  server.addHook('onRoute', (route) => {
    const kind = route.config?.kind;
    if (kind === undefined || kind === 'watch') return;
    const cell = cellOf('http', kind);
    const begin = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
      const trace = tracer.begins(cell, request.principal.tenant, traceHeadersOf(request), tracer.now());
      if (trace !== null) {
        request.trace = trace;
        // Made before, to ask for access.
        if (request.target !== null) request.target.trace = trace;
        const { headers } = trace;
        if (headers !== undefined) void reply.header('traceresponse', headers.traceparent);
      }
      done();
    };
    route.preHandler = [route.preHandler ?? [], begin].flat();
  });
}

/** Null: its caller says nothing of a trace. */
function traceHeadersOf({ headers }: FastifyRequest): TraceHeaders | null {
  const { traceparent, tracestate = '' } = headers as Readonly<Record<string, string | string[] | undefined>>;
  return typeof traceparent === 'string' ? { traceparent, tracestate: String(tracestate) } : null;
}

export interface EndedRequest {
  readonly kind: Kind;
  readonly outcome: Outcome;
  /** Milliseconds of the monotonic clock. */
  readonly start: number;
  readonly end: number;
  readonly statusCode: number;
}

/** @returns the id of the trace that is kept of a request; null: none is */
export function endTrace(tracer: Tracer, request: FastifyRequest, ended: EndedRequest): string | null {
  const { kind, outcome, start, end, statusCode } = ended;
  const trace = tracer.ends(request.trace, kind, outcome, end - start, end);
  if (trace === null) return null;
  tracer.keep(trace, cellOf('http', kind), outcome, { start, end }, attributesOf(request, statusCode));
  return trace.traceId;
}

function attributesOf(
  { id, method, routeOptions, principal, target, fault }: FastifyRequest,
  status: number,
): Attributes {
  return {
    ...{ 'http.request.method': method, 'http.response.status_code': status, 'umbra.request_id': id },
    ...(routeOptions.url !== undefined && { 'http.route': routeOptions.url }),
    'umbra.tenant': principal.tenant,
    ...(target !== null && { 'umbra.thing': target.key.thing }),
    ...(target !== null && target.key.name !== null && { 'umbra.shadow': target.key.name }),
    ...(fault !== undefined && { 'umbra.code': fault }),
  };
}
