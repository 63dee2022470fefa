import fc from 'fast-check';
import { TokenBucket } from './token-bucket.js';
import { TokenBuckets } from './token-buckets.js';

const gapsMs = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 200 });

/** Times at which one was taken. */
function taken(perSecond: number, gaps: readonly number[]): number[] {
  const bucket = new TokenBucket();
  const times: number[] = [];
  let now = 1000;
  for (const gap of gaps) {
    now += gap;
    if (!bucket.has(now, perSecond)) continue;
    bucket.take();
    times.push(now);
  }
  return times;
}

it('gives no more than a second and the time since are worth, in any span', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), gapsMs, (perSecond, gaps) => {
      const times = taken(perSecond, gaps);
      times.forEach((from, i) =>
        times
          .slice(i)
          .forEach((to, n) => expect(n + 1).toBeLessThanOrEqual(perSecond * (1 + (to - from) / 1000) + 1e-6)),
      );
    }),
  );
});

it('always gives one to who keeps to the rate', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 200 }), (perSecond, n) => {
      const gap = Math.ceil(1000 / perSecond);
      expect(taken(perSecond, new Array<number>(n).fill(gap))).toHaveLength(n);
    }),
  );
});

it('holds a bounded number of buckets, and keeps those in use', () => {
  const buckets = new TokenBuckets(100);
  const busy = buckets.of('busy');
  for (let n = 0; n < 1000; n++) {
    buckets.of(`other ${n}`);
    expect(buckets.of('busy')).toBe(busy);
    expect(buckets.size).toBeLessThanOrEqual(100);
  }
});
