import { MARK, type Attributes, type RequestTrace } from './request-trace.js';

/** `server` answers a request, `producer` tells others of a change, `internal` is a part of one of these. */
export type SpanKind = 'server' | 'producer' | 'internal';

/** One piece of work of a trace, as it is exported. */
export interface Span {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: { readonly spanId: string; readonly isRemote: boolean } | null;
  /** `tracestate`; empty: none. */
  readonly state: string;
  /** Epoch milliseconds, with parts of them. */
  readonly start: number;
  readonly end: number;
  /** The outcome of what has failed; null: it has not. */
  readonly failure: string | null;
  readonly attributes: Attributes;
  /** The span that it follows from. */
  readonly link: { readonly traceId: string; readonly spanId: string } | null;
}

/** The times of a request that has ended, in milliseconds of the monotonic clock. */
export interface Ended {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly failure: string | null;
  readonly attributes: Attributes;
}

/**
 * The span of a request, and those of the parts that it has passed.
 * @param toEpoch what the monotonic clock lacks to epoch milliseconds
 */
export function spansOf(trace: RequestTrace, ended: Ended, toEpoch: number, newSpanId: () => string): Span[] {
  const { traceId, spanId, parent } = trace;
  const state = parent?.state ?? '';
  const own = { spanId, isRemote: false };
  const spans: Span[] = [
    {
      name: ended.name,
      kind: 'server',
      traceId,
      spanId,
      parent: parent === null ? null : { spanId: parent.spanId, isRemote: true },
      state,
      start: ended.start + toEpoch,
      end: ended.end + toEpoch,
      failure: ended.failure,
      attributes: ended.attributes,
      link: null,
    },
  ];
  const at = (mark: (typeof MARK)[keyof typeof MARK]): number => trace.timeOf(mark);
  const part = (name: string, from: number, to: number, attributes: Attributes): void => {
    if (from === 0) return;
    // Without its end it was still going on as the request was answered.
    spans.push({
      name,
      kind: 'internal',
      traceId,
      spanId: newSpanId(),
      parent: own,
      state,
      start: from + toEpoch,
      end: Math.max(to === 0 ? ended.end : to, from) + toEpoch,
      failure: null,
      attributes,
      link: null,
    });
  };
  part('queue', at(MARK.queued), at(MARK.begun), NONE);
  part('read', at(MARK.reading), at(MARK.read), NONE);
  part('commit', at(MARK.writing), at(MARK.written), {
    'umbra.commit.batch_writes': trace.batchWrites,
    'umbra.commit.attempts': trace.attempts,
    'umbra.commit.doubted': trace.doubted,
    'umbra.commit.wait_ms': at(MARK.sent) === 0 ? 0 : at(MARK.sent) - at(MARK.writing),
  });
  return spans;
}

const NONE: Attributes = {};
