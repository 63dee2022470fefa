import { GoldenSignals, quantile } from './golden-signals.js';
import { Metrics } from './metrics.js';

describe('GoldenSignals', () => {
  it('tells what happened between its looks', () => {
    const metrics = new Metrics();
    let now = 0;
    const signals = new GoldenSignals(metrics, () => now);
    const { update, watch } = metrics.requests.door('mqtt', ['update', 'watch']);
    metrics.requests.readInFlight('mqtt', () => 3);
    update.record('ok', 1);
    signals.look();
    for (let i = 0; i < 10; i++) update.record('ok', 3);
    update.record('unavailable', 3_000);
    update.record('too_many', 1);
    watch.record('ok', 8_000);
    now = 2_000;
    signals.look();
    now = 5_000;
    const [first, last, ...rest] = signals.history();
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ ago: 3, ok: 5.5, refused: 0.5, failed: 0.5, inFlight: 3 });
    expect(first!.p50).toBeCloseTo(0.003, 3);
    // The one of 3 s is the slowest of a dozen.
    expect(first!.p99).toBeGreaterThan(2);
    expect(last).toMatchObject({ ago: 0, ok: 0, refused: 0, failed: 0, p50: null, p99: null });
  });

  it('makes no rate of the moment since the last look', () => {
    const metrics = new Metrics();
    let now = 0;
    const signals = new GoldenSignals(metrics, () => now);
    const { update } = metrics.requests.door('mqtt', ['update']);
    for (; now <= 20_000; now += 10_000) signals.look();
    update.record('ok', 1);
    now = 20_004;
    expect(signals.history().map(({ ok }) => ok)).toEqual([0, expect.closeTo(0.1, 3)]);
  });

  it('keeps a quarter of an hour', () => {
    let now = 0;
    const signals = new GoldenSignals(new Metrics(), () => now);
    for (let i = 0; i < 200; i++) {
      signals.look();
      now += 10_000;
    }
    expect(signals.history()).toHaveLength(91);
  });
});

it.each([
  [0.5, [], null],
  [
    0.5,
    [
      [1, 0],
      [Infinity, 0],
    ],
    null,
  ],
  [
    0.5,
    [
      [1, 10],
      [2, 10],
      [Infinity, 10],
    ],
    0.5,
  ],
  [
    0.99,
    [
      [1, 0],
      [2, 100],
      [Infinity, 100],
    ],
    1.99,
  ],
  [
    0.99,
    [
      [1, 0],
      [2, 1],
      [Infinity, 100],
    ],
    2,
  ],
] as const)('the quantile %d of %j is %d', (q, buckets, value) => {
  expect(quantile(q, buckets)).toBe(value);
});
