import { SettableClock } from '../../test/harness/clock.js';
import { MARK } from './request-trace.js';
import { cellOf, Sampler, type SamplingRules } from './sampling.js';
import type { Span } from './span.js';
import { Tracer } from './tracer.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const UPDATE = cellOf('mqtt', 'update');
const headers = (flags = '01') => ({ traceparent: `00-${TRACE}-${SPAN}-${flags}`, tracestate: 'a=1' });

function setup(rate: number, more: Partial<SamplingRules> = {}) {
  const spans: Span[] = [];
  const clock = new SettableClock();
  const rules = { rules: [{ rate }], failed: true, slowMs: 100, maxPerSecond: 1_000, ...more };
  const tracer = new Tracer({
    sampler: new Sampler(rules, 7),
    clock,
    taker: { take: (more) => void spans.push(...more) },
  });
  const begin = (of: ReturnType<typeof headers> | null = null) => tracer.begins(UPDATE, 't', of, clock.monotonic());
  return { tracer, clock, spans, begin };
}

/** Ends a request; the names of its spans. */
function end(
  { tracer, clock, spans }: ReturnType<typeof setup>,
  trace: ReturnType<Tracer['begins']>,
  ms = 1,
  ok = true,
) {
  const now = clock.monotonic();
  const outcome = ok ? 'ok' : 'internal';
  const kept = tracer.ends(trace, 'update', outcome, ms, now);
  if (kept !== null) tracer.keep(kept, UPDATE, outcome, { start: now - ms, end: now }, { 'umbra.thing': 'lamp' });
  return spans.splice(0);
}

describe('a request', () => {
  it('leaves the spans of what it has passed, in its caller’s trace', () => {
    const node = setup(10_000);
    const trace = node.begin(headers())!;
    for (const mark of [MARK.queued, MARK.begun, MARK.reading, MARK.read, MARK.writing]) {
      trace.mark(mark);
      node.clock.advance(2);
    }
    trace.sent(3);
    node.clock.advance(4);
    trace.sent(5);
    trace.doubted = true;
    trace.mark(MARK.written);
    const spans = end(node, trace, 14);
    expect(spans.map(({ name, kind, start, end: to }) => [name, kind, to - start])).toEqual([
      ['mqtt update', 'server', 14],
      ['queue', 'internal', 2],
      ['read', 'internal', 2],
      ['commit', 'internal', 6],
    ]);
    expect(spans[0]).toMatchObject({
      ...{ traceId: TRACE, parent: { spanId: SPAN, isRemote: true }, state: 'a=1', failure: null, link: null },
      ...{ end: node.clock.now(), attributes: { 'umbra.door': 'mqtt', 'umbra.outcome': 'ok', 'umbra.thing': 'lamp' } },
    });
    for (const each of spans.slice(1))
      expect([each.traceId, each.parent]).toEqual([TRACE, { spanId: spans[0]!.spanId, isRemote: false }]);
    expect(spans[3]!.attributes).toEqual({
      ...{ 'umbra.commit.batch_writes': 5, 'umbra.commit.attempts': 2, 'umbra.commit.doubted': true },
      'umbra.commit.wait_ms': 2,
    });
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(4);
  });

  it('begins a trace where its caller has none, and names it to others', () => {
    const node = setup(10_000);
    const trace = node.begin()!;
    expect(trace.headers).toEqual({ traceparent: `00-${trace.traceId}-${trace.spanId}-01`, tracestate: '' });
    expect(end(node, trace)[0]).toMatchObject({ traceId: trace.traceId, spanId: trace.spanId, parent: null });
  });

  it.each([
    ['none at rate 0', 0, null],
    ['none for a traceparent that is none', 0, { traceparent: 'x', tracestate: '' }],
  ])('has no recorder: %s', (_, rate, of) => expect(setup(rate).begin(of)).toBeNull());

  it.each([
    ['is well', 1, true, []],
    ['is slow', 101, true, ['mqtt update', 'queue']],
    ['has failed', 1, false, ['mqtt update', 'queue']],
  ])('of a caller with a trace that is not sampled is told to nobody, and kept only if it %s', (_, ms, ok, names) => {
    const node = setup(0);
    const trace = node.begin(headers())!;
    trace.mark(MARK.queued);
    node.clock.advance(1);
    trace.mark(MARK.begun);
    expect(trace.headers).toBeUndefined();
    expect(end(node, trace, ms, ok).map(({ name }) => name)).toEqual(names);
  });

  it.each([
    ['slow', 101, true, null],
    ['failed', 1, false, 'internal'],
  ])('that nobody sampled and that is %s has its span at least', (decision, ms, ok, failure) => {
    const node = setup(0);
    const spans = end(node, null, ms, ok);
    expect(spans).toEqual([expect.objectContaining({ name: 'mqtt update', failure, parent: null })]);
    const { traces } = node.tracer.metrics;
    expect(traces.value(traces.bind(decision))).toBe(1);
  });

  it('is not traced while a thousand are', () => {
    const node = setup(10_000, { maxPerSecond: 2_000 });
    const open = Array.from({ length: 1_000 }, () => node.begin());
    expect(open.every((trace) => trace !== null)).toBe(true);
    expect(node.begin()).toBeNull();
    end(node, open[0]!);
    expect(node.begin()).not.toBeNull();
    const { traces } = node.tracer.metrics;
    expect([traces.value(traces.bind('head')), traces.value(traces.bind('dropped'))]).toEqual([1_001, 1]);
  });

  it('notes nothing after its end, when its numbers are those of another request', () => {
    const node = setup(10_000);
    const first = node.begin()!;
    end(node, first);
    const second = node.begin()!;
    first.mark(MARK.queued);
    expect([first.timeOf(MARK.queued), second.timeOf(MARK.queued)]).toEqual([0, 0]);
    expect(first.release()).toBeNull();
  });
});

it('tells of a change in a trace of its own, which links to the one that has made it', () => {
  const { tracer, spans, clock } = setup(0);
  const times = { arrived: clock.monotonic() - 3, start: clock.monotonic() - 2, end: clock.monotonic() };
  tracer.told({ trace: headers(), door: 'mqtt', ...times, attributes: { 'umbra.revision': 7 } });
  const [feed, publish] = spans;
  const link = { traceId: TRACE, spanId: SPAN };
  expect(spans.map(({ name, kind, start, end: to, link: of }) => [name, kind, to - start, of])).toEqual([
    ['feed', 'internal', 3, expect.objectContaining(link)],
    ['mqtt publish', 'producer', 2, expect.objectContaining(link)],
  ]);
  expect([publish!.traceId, publish!.parent]).toEqual([feed!.traceId, { spanId: feed!.spanId, isRemote: false }]);
  expect(feed!.traceId).not.toBe(TRACE);
});

it('traces nothing that nobody collects', () => expect(new Tracer().isOn).toBe(false));
