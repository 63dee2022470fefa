import fc from 'fast-check';
import { NameCounts } from './name-counts.js';

it('never misses a name that it has, however names come and go', () => {
  // Few slots, so that names share them, and so often that a count comes to its end.
  const commands = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: -3, max: 400 })), { maxLength: 60 });
  const holds = (steps: readonly (readonly [number, number])[]): void => {
    const counts = new NameCounts(8);
    const names = new Map<number, number>();
    for (const [hash, by] of steps) {
      const had = names.get(hash) ?? 0;
      const has = Math.max(0, had + by);
      for (let n = had; n < has; n++) counts.add(hash);
      for (let n = had; n > has; n--) counts.remove(hash);
      names.set(hash, has);
      for (const [name, times] of names) if (times > 0) expect(counts.mayHave(name)).toBe(true);
    }
  };
  fc.assert(fc.property(commands, holds));
});

it('forgets names that have gone, and takes negative hashes', () => {
  const counts = new NameCounts(1024);
  for (const hash of [5, -5, 5]) counts.add(hash);
  expect([5, -5, 6, -6].map((hash) => counts.mayHave(hash))).toEqual([true, true, false, false]);
  counts.remove(5);
  expect(counts.mayHave(5)).toBe(true);
  counts.remove(5);
  counts.remove(-5);
  expect([counts.mayHave(5), counts.mayHave(-5)]).toEqual([false, false]);
});
