import { evenly, Pace, spanOf, TICK_MS } from './evenly.js';

/** When each thing was due, with looks at these times. */
function times(count: number, withinMs: number, looks: Iterable<number>): number[] {
  const pace = new Pace(count, withinMs, 0);
  const due: number[] = [];
  for (const now of looks) {
    for (let n = pace.due(now); n > 0 && due.length < count; n--) due.push(now);
    if (due.length === count) break;
  }
  return due;
}

function* every(step: number, until = 60_000): Generator<number> {
  for (let now = 0; now <= until; now += step) yield now;
}

/** The most that were due in any 100 ms. */
function densest(due: readonly number[]): number {
  let most = 0;
  for (let from = 0, to = 0; to < due.length; to++) {
    while (due[to]! - due[from]! >= 100) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

describe('Pace', () => {
  it.each([
    [333, 5_000],
    [1_000, 5_000],
    [10_000, 9_000],
    [7, 5_000],
    [250, 5_000],
    [400, 1_000],
  ])('%i over %i ms: all within the span, and evenly', (count, withinMs) => {
    const span = spanOf(count, withinMs);
    const due = times(count, span, every(TICK_MS));
    expect(due).toHaveLength(count);
    expect(due[0]).toBe(0);
    expect(due.at(-1)).toBeLessThanOrEqual(span);
    expect(due.at(-1)).toBeGreaterThan(span * 0.8);
    expect(densest(due)).toBeLessThanOrEqual(Math.max(2, (1.5 * count * 100) / span + 1));
  });

  it('a few over a long span wait for their turn', () => {
    expect(times(3, 6_000, every(TICK_MS))).toEqual([0, 2_000, 4_000]);
  });

  it.each([7, 33, 47, 90])('looks every %i ms make no bursts', (step) => {
    const due = times(1_000, 5_000, every(step));
    expect(due).toHaveLength(1_000);
    expect(densest(due)).toBeLessThanOrEqual(31);
  });

  it('what a blocked loop has missed comes a little faster than even, and not at once', () => {
    const looks = [...every(TICK_MS)].filter((now) => now < 1_000 || now >= 3_000);
    const due = times(1_000, 5_000, looks);
    expect(due).toHaveLength(1_000);
    expect(densest(due)).toBeLessThanOrEqual(40);
    expect(due.at(-1)).toBeLessThan(7_000);
  });

  it('a span of 0 makes all of them due at once, and of none nothing is', () => {
    expect(times(500, 0, [0])).toHaveLength(500);
    expect(times(0, 5_000, [0, 20])).toEqual([]);
  });
});

it('all items have their turn once, in order', async () => {
  const seen: number[] = [];
  await evenly([1, 2, 3], 30, (item) => void seen.push(item));
  await evenly([], 1_000, (item) => void seen.push(item));
  await evenly([4, 5], 0, (item) => void seen.push(item));
  expect(seen).toEqual([1, 2, 3, 4, 5]);
});
