import { SYSTEM_CLOCK, type Clock } from '../resilience/clock.js';
import { DOORS, KINDS, type DoorName, type Kind, type Outcome } from './request-metrics.js';
import { MARKS, RequestTrace, type Attributes } from './request-trace.js';
import { isFailure, Sampler } from './sampling.js';
import { newId } from './new-id.js';
import { spansOf, type Span } from './span.js';
import { parseTrace, type TraceContext, type TraceHeaders } from './trace-context.js';
import { TraceMetrics } from './trace-metrics.js';

/** Injection token of the Tracer. */
export const TRACER = Symbol('Tracer');

/** Requests under way that have marks; others are not traced meanwhile. */
const MAX_OPEN = 1_000;

/** Takes spans for whoever collects them. It must not wait, and throws nothing. */
export interface SpanTaker {
  take(spans: readonly Span[]): void;
}

export interface TracerParts {
  readonly sampler?: Sampler;
  readonly metrics?: TraceMetrics;
  readonly clock?: Clock;
  /** Absent: nobody collects spans, and nothing is traced. */
  readonly taker?: SpanTaker | null;
}

/** A change that readers are told of. */
export interface Told {
  /** `traceparent` and `tracestate` that the record has. */
  readonly trace: TraceHeaders;
  readonly door: DoorName;
  /** When the feed brought it, and from when to when it was published: milliseconds of the monotonic clock. */
  readonly arrived: number;
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
}

/**
 * The traces of a node. A door asks it as a request begins and as it ends; nothing is traced unless somebody collects
 * spans, and then only what the sampler keeps.
 */
export class Tracer {
  /** Whether a request may be traced at all: to be asked before anything else. */
  readonly isOn: boolean;
  readonly sampler: Sampler;
  readonly metrics: TraceMetrics;
  readonly #clock: Clock;
  readonly #taker: SpanTaker | null;
  readonly #free: Float64Array[] = [];
  readonly #monotonic: () => number;
  #open = 0;

  constructor({ sampler, metrics, clock = SYSTEM_CLOCK, taker = null }: TracerParts = {}) {
    this.sampler = sampler ?? new Sampler();
    this.metrics = metrics ?? new TraceMetrics();
    this.isOn = taker !== null;
    this.#clock = clock;
    this.#taker = taker;
    this.#monotonic = () => clock.monotonic();
  }

  /**
   * A request begins. Null: nothing is to be remembered of it. Whoever gets a trace ends it with `ends`.
   * @param cell of its door and its kind, see cellOf
   * @param headers what its caller says of its own trace; null: nothing
   * @param now milliseconds of the monotonic clock
   */
  begins(cell: number, tenant: string, headers: TraceHeaders | null, now: number): RequestTrace | null {
    const parent = headers === null ? null : parseTrace(headers);
    const decision = this.sampler.begins(cell, tenant, parent === null ? null : parent.sampled, now);
    if (decision === null && parent === null) return null;
    if (this.#open >= MAX_OPEN || decision === 'dropped') {
      if (decision !== null) this.metrics.decided('dropped');
      return null;
    }
    if (decision === 'head') this.metrics.decided('head');
    return this.#newTrace(parent, decision === 'head');
  }

  /**
   * A request has ended. @returns the trace that is kept of it, for `keep`; null: none is
   * @param trace as `begins` gave it
   */
  ends(trace: RequestTrace | null, kind: Kind, outcome: Outcome, ms: number, now: number): RequestTrace | null {
    if (trace?.sampled === true) return trace;
    const decision = this.sampler.ends(kind, outcome, ms, now);
    if (decision !== null) this.metrics.decided(decision);
    if (decision === null || decision === 'dropped') {
      if (trace !== null) this.#release(trace);
      return null;
    }
    const kept = trace ?? this.#newTrace(null, false);
    kept.isKept = true;
    return kept;
  }

  /** Hands over the spans of a request, and lets go of its trace. */
  keep(
    trace: RequestTrace,
    cell: number,
    outcome: Outcome,
    times: { start: number; end: number },
    about: Attributes,
  ): void {
    const [door, kind] = [DOORS[Math.floor(cell / KINDS.length)]!, KINDS[cell % KINDS.length]!];
    const attributes = { 'umbra.door': door, 'umbra.operation': kind, 'umbra.outcome': outcome, ...about };
    const failure = isFailure(outcome) ? outcome : null;
    const ended = { name: `${door} ${kind}`, ...times, failure, attributes };
    this.#taker?.take(spansOf(trace, ended, this.#toEpoch(), newSpanId));
    this.#release(trace);
  }

  /** A request has ended that nobody waits for any more: nothing is kept of it. */
  drop(trace: RequestTrace | null): void {
    if (trace !== null) this.#release(trace);
  }

  /** Milliseconds of the monotonic clock. */
  now(): number {
    return this.#monotonic();
  }

  /** A change with a trace was told to readers of this node: a trace of its own, since they are many, which links to it. */
  told({ trace, door, arrived, start, end, attributes }: Told): void {
    const link = parseTrace(trace);
    if (link === null || this.#taker === null) return;
    const toEpoch = this.#toEpoch();
    const traceId = newId(16);
    const root = newSpanId();
    const { state } = link;
    const [from, to] = [Math.min(arrived, start) + toEpoch, end + toEpoch];
    const parent = { spanId: root, isRemote: false };
    const about = { traceId, state, failure: null, attributes, link };
    this.#taker.take([
      { ...about, name: 'feed', kind: 'internal', spanId: root, parent: null, start: from, end: to },
      {
        ...about,
        name: `${door} publish`,
        kind: 'producer',
        spanId: newSpanId(),
        parent,
        start: start + toEpoch,
        end: to,
      },
    ]);
  }

  #newTrace(parent: TraceContext | null, sampled: boolean): RequestTrace {
    const marks = this.#free.pop() ?? new Float64Array(MARKS);
    this.#open++;
    return new RequestTrace(parent?.traceId ?? newId(16), newSpanId(), parent, sampled, marks.fill(0), this.#monotonic);
  }

  #release(trace: RequestTrace): void {
    const marks = trace.release();
    if (marks === null) return;
    this.#open--;
    this.#free.push(marks);
  }

  #toEpoch(): number {
    return this.#clock.now() - this.#clock.monotonic();
  }
}

const newSpanId = (): string => newId(8);
