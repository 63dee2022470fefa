import fc from 'fast-check';
import { ReplayMemory as Memory, type Use } from './replay-memory.js';

/** Names signatures by a letter. */
class ReplayMemory extends Memory {
  constructor(max: number, graceMs: number, maxOfKey = 1000) {
    super(max, maxOfKey, graceMs);
  }

  of(letter: string, goodUntil: number, now: number, keyId = 'key'): Use {
    return this.use(keyId, letter.charCodeAt(0).toString(16).repeat(32), goodUntil, now);
  }
}

describe('ReplayMemory', () => {
  it('remembers a signature to its last good moment, not a second longer', () => {
    const memory = new ReplayMemory(10, 0);
    expect(memory.of('a', 5000, 1000)).toBe('first');
    expect(memory.of('a', 5000, 5000)).toBe('again');
    expect(memory.of('a', 5000, 5999)).toBe('again');
    expect(memory.size).toBe(1);
    expect(memory.of('b', 9000, 6000)).toBe('first');
    expect(memory.size).toBe(1);
  });

  it('forgets all that are late, whatever their order', () => {
    const memory = new ReplayMemory(3, 0);
    for (const [signature, goodUntil] of [
      ['a', 600_000],
      ['b', 2000],
      ['c', 2999],
    ] as const) {
      expect(memory.of(signature, goodUntil, 0)).toBe('first');
    }
    expect(memory.of('d', 9000, 2999)).toBe('full');
    expect(memory.of('d', 9000, 3000)).toBe('first');
    expect(memory.of('e', 9000, 3000)).toBe('first');
    expect(memory.of('f', 9000, 3000)).toBe('full');
  });

  it('never takes a signature twice while it is good, and never holds more than its bound', () => {
    const step = fc.record({
      signature: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      wait: fc.nat(4000),
      life: fc.nat(9000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, max) => {
        const memory = new ReplayMemory(max, 0);
        const goodUntil = new Map<string, number>();
        let now = 0;
        for (const { signature, wait, life } of steps) {
          now += wait;
          const good = [...goodUntil].filter(([, until]) => until >= now);
          const use = memory.of(signature, now + life, now);
          if (good.some(([each]) => each === signature)) expect(use).toBe('again');
          if (use === 'first') goodUntil.set(signature, now + life);
          if (use === 'full') expect(memory.size).toBe(max);
          expect(memory.size).toBeLessThanOrEqual(max);
        }
      }),
    );
  });

  it('lets no key shut out the others, and gives each its room back', () => {
    const memory = new ReplayMemory(4, 0, 2);
    expect(['a', 'b', 'c'].map((letter) => memory.of(letter, 5000, 0))).toEqual(['first', 'first', 'excess']);
    expect(memory.of('a', 5000, 0)).toBe('again');
    expect(['d', 'e'].map((letter) => memory.of(letter, 9000, 0, 'other'))).toEqual(['first', 'first']);
    expect(memory.of('f', 9000, 0, 'third')).toBe('full');
    expect(['c', 'f', 'g'].map((letter) => memory.of(letter, 9000, 6000))).toEqual(['first', 'first', 'excess']);
  });

  it('holds no more than its bound when the clock jumps', () => {
    const memory = new ReplayMemory(2, 0);
    expect(memory.of('a', 300_000, 0)).toBe('first');
    expect(memory.of('b', 10_300_000, 10_000_000)).toBe('first');
    expect(memory.size).toBe(1);
    expect(memory.of('c', 300_000, 1000)).toBe('first');
    expect(memory.of('d', 300_000, 1000)).toBe('full');
  });
});
