import type { Metadata } from '@grpc/grpc-js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import type { Kind, Outcome } from '../telemetry/request-metrics.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import { cellOf } from '../telemetry/sampling.js';
import type { Tracer } from '../telemetry/tracer.js';
import type { Caller } from './authenticate.js';

/** Begins the trace of a call with one answer, which may be null. Metadata has what headers of HTTP have. */
export function beginTrace(tracer: Tracer, kind: Kind, { principal }: Caller, metadata: Metadata): RequestTrace | null {
  if (!tracer.isOn) return null;
  const textOf = (name: string): string => metadata.get(name).join();
  const traceparent = textOf('traceparent');
  const headers = traceparent === '' ? null : { traceparent, tracestate: textOf('tracestate') };
  return tracer.begins(cellOf('grpc', kind), principal.tenant, headers, tracer.now());
}

export interface EndedCall {
  readonly kind: Kind;
  readonly outcome: Outcome;
  readonly fault: ServiceErrorCode | null;
  /** Milliseconds of the monotonic clock. */
  readonly start: number;
  readonly end: number;
}

/** @returns the id of the trace that is kept of a call; null: none is */
export function endTrace(
  tracer: Tracer,
  begun: RequestTrace | null,
  { principal, requestId }: Caller,
  { kind, outcome, fault, start, end, path }: EndedCall & { readonly path: string },
): string | null {
  const trace = tracer.ends(begun, kind, outcome, end - start, end);
  if (trace === null) return null;
  tracer.keep(
    trace,
    cellOf('grpc', kind),
    outcome,
    { start, end },
    {
      ...{ 'rpc.method': path, 'umbra.tenant': principal.tenant, 'umbra.request_id': requestId },
      ...(fault !== null && { 'umbra.code': fault }),
    },
  );
  return trace.traceId;
}
