import { Counter, Histogram } from '../../../src/telemetry/recorder.js';
import { cellOf, Sampler } from '../../../src/telemetry/sampling.js';
import { Tracer } from '../../../src/telemetry/tracer.js';
import { OUTCOMES, RequestMetrics, type RequestRecorder } from '../../../src/telemetry/request-metrics.js';
import type { Lab } from '../lab.js';
import { atMost, row, type Result } from '../result.js';

/** Milliseconds as requests take them, in no order that a processor could learn. */
const TIMES = Float64Array.from({ length: 4096 }, (_, i) => 2 ** (((i * 2_654_435_761) % 4096) / 256 - 3));
const ROUNDS = 64;

/**
 * Recorders alone, as the hot path calls them: a histogram over all of its buckets, a counter, and what the end of one
 * request costs in both together; and the tracer, for requests that it does not keep, and at 1 %. Reading a clock is not in
 * it, but for the requests that are kept.
 */
export function metrics(lab: Lab): Promise<Result> {
  const histogram = new Histogram({ name: 'bench_seconds', help: 'B.', labels: { kind: ['a', 'b', 'c'] } });
  const counter = new Counter({ name: 'bench', help: 'B.', labels: { kind: ['a', 'b', 'c'] } });
  const [cell, place] = [histogram.bind('b'), counter.bind('b')];
  const { update } = new RequestMetrics().door('mqtt', ['get', 'update']);
  const observed = measure(lab, (ms) => histogram.observe(cell, ms));
  const counted = measure(lab, () => counter.add(place));
  const recorded = measure(lab, recordAll(update));
  const untraced = measure(lab, traceAll(0));
  const traced = measure(lab, traceAll(100));
  return Promise.resolve({
    rows: [
      row('ns of processor per call of a histogram', observed, atMost(30), 'ns'),
      row('ns of processor per call of a counter', counted, atMost(30), 'ns'),
      row('ns of processor per request that is recorded', recorded, atMost(60), 'ns'),
      row('ns of processor per request that is not traced, where others are', untraced, atMost(60), 'ns'),
      row('ns of processor per request of which 1 % are traced, without export', traced, atMost(300), 'ns'),
    ],
    notes: [`${histogram.count(cell).toLocaleString('en')} calls of the histogram in all`],
  });
}

function recordAll(recorder: RequestRecorder): (ms: number, i: number) => void {
  return (ms, i) => recorder.record(OUTCOMES[i % 3]!, ms);
}

/** @param rate in parts per 10,000 */
function traceAll(rate: number): (ms: number) => void {
  const rules = { rules: [{ rate }], failed: true, slowMs: 1e6, maxPerSecond: 1e9 };
  const tracer = new Tracer({ sampler: new Sampler(rules, 1), taker: { take: () => undefined } });
  const cell = cellOf('mqtt', 'update');
  return (ms) => {
    const trace = tracer.begins(cell, 'default', null, ms);
    const kept = tracer.ends(trace, 'update', 'ok', ms, ms);
    if (kept !== null) tracer.keep(kept, cell, 'ok', { start: 0, end: ms }, {});
  };
}

/** @returns ns of processor per call, one for each pair of the lab */
function measure(lab: Lab, call: (ms: number, i: number) => void): number[] {
  run(call, lab.scale.warmSeconds);
  return Array.from({ length: lab.scale.pairs }, () => run(call, lab.scale.seconds / 4));
}

function run(call: (ms: number, i: number) => void, seconds: number): number {
  const end = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  let calls = 0;
  do {
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < TIMES.length; i++) call(TIMES[i]!, i);
    }
    calls += ROUNDS * TIMES.length;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / calls;
}
