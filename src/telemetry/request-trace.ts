import { traceparentOf, type TraceContext, type TraceHeaders } from './trace-context.js';

/** Moments of a request, in the order in which they come. */
export const MARK = {
  /** A change waits for an earlier one of its shadow. */
  queued: 0,
  /** Its turn has come. */
  begun: 1,
  /** The record is asked for. */
  reading: 2,
  /** The record has come. */
  read: 3,
  /** A write waits for a batch. */
  writing: 4,
  /** Its first batch was sent. */
  sent: 5,
  /** How it ended is known. */
  written: 6,
} as const;
export type Mark = (typeof MARK)[keyof typeof MARK];
/** Numbers that the marks of one request take. */
export const MARKS = 7;

/** Marks that stay as they were first; others move with each attempt. */
const FIRST: ReadonlySet<Mark> = new Set([MARK.queued, MARK.begun, MARK.reading, MARK.writing, MARK.sent]);

/** Values of attributes of spans. */
export type Attributes = Record<string, string | number | boolean>;

/** The member of a log line that finds its trace; nothing for a request that may not be kept. */
export function idOfTrace(trace: RequestTrace | null | undefined): { trace_id?: string; span_id?: string } {
  return trace?.isKept ? { trace_id: trace.traceId, span_id: trace.spanId } : {};
}

/**
 * What is remembered of one request that is traced, or may be: times, of which spans are made when it has ended. Parts of
 * the node that the request passes get it with the request; most requests have none.
 */
export class RequestTrace {
  /** Number of writes in the batch that its write was sent with last. */
  batchWrites = 0;
  /** How often its write was sent. */
  attempts = 0;
  /** An attempt may have been applied although no answer came. */
  doubted = false;
  /** What has ended badly, or late, is kept although it was not sampled. */
  isKept: boolean;
  #marks: Float64Array | null;

  /**
   * @param parent the caller's span; null: the trace begins here
   * @param marks borrowed until `release`
   * @param monotonic the clock of the marks
   */
  constructor(
    readonly traceId: string,
    readonly spanId: string,
    readonly parent: TraceContext | null,
    /** It is kept whatever its end, and what it changes tells of it. */
    readonly sampled: boolean,
    marks: Float64Array,
    private readonly monotonic: () => number,
  ) {
    this.#marks = marks;
    this.isKept = sampled;
  }

  /** What others are told of it, so that they can go on with the trace; undefined: nothing, since it may not be kept. */
  get headers(): TraceHeaders | undefined {
    if (!this.sampled) return undefined;
    return { traceparent: traceparentOf(this.traceId, this.spanId), tracestate: this.parent?.state ?? '' };
  }

  /** Notes that the moment is now. After its end it notes nothing. No errors. */
  mark(which: Mark): void {
    const marks = this.#marks;
    if (marks !== null && !(FIRST.has(which) && marks[which]! > 0)) marks[which] = this.monotonic();
  }

  /** A write is sent, together with others. */
  sent(batchWrites: number): void {
    this.mark(MARK.sent);
    this.attempts++;
    this.batchWrites = batchWrites;
  }

  /** Milliseconds of the monotonic clock; 0: it has not come, or the trace has ended. */
  timeOf(which: Mark): number {
    return this.#marks?.[which] ?? 0;
  }

  /** Ends it. @returns its marks, for another request; null: it has ended already */
  release(): Float64Array | null {
    const marks = this.#marks;
    this.#marks = null;
    return marks;
  }
}
