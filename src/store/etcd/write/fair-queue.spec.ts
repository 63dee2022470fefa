import fc from 'fast-check';
import { FairQueue } from './fair-queue.js';

describe('fair queue', () => {
  it('takes one of each tenant in turn', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item[0]!, item);
    expect(queue.drain()).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
    expect(queue.size).toBe(0);
  });

  it('leaves what is skipped or stopped at in its place', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'a4']) queue.push('a', item);
    const answers = ['skip', 'take', 'stop'] as const;
    let turn = 0;
    expect(queue.take(() => answers[turn++]!)).toEqual(['a2']);
    expect(queue.size).toBe(3);
    expect(queue.drain()).toEqual(['a1', 'a3', 'a4']);
  });

  it('offers each item once, however many are skipped', () => {
    const queue = new FairQueue<number>();
    for (let i = 0; i < 10; i++) queue.push('a', i);
    const offered: number[] = [];
    queue.take((item) => (offered.push(item), 'skip'));
    expect(offered).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(queue.size).toBe(10);
  });

  it('begins with whoever the last batch had no room for', () => {
    const queue = new FairQueue<string>();
    for (let i = 0; i < 4; i++) for (const tenant of ['a', 'b', 'c']) queue.push(tenant, `${tenant}${i}`);
    // Room for two: with three busy tenants one of them would never be served.
    const batch = (): string[] => {
      let room = 2;
      return queue.take(() => (room-- > 0 ? 'take' : 'stop'));
    };
    expect([batch(), batch(), batch()]).toEqual([
      ['a0', 'b0'],
      ['c0', 'a1'],
      ['b1', 'c1'],
    ]);
  });

  it('loses nothing, doubles nothing, and keeps the order of each tenant', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ push: fc.constantFrom('a', 'b', 'c') }),
        fc.record({ take: fc.array(fc.constantFrom('take', 'skip', 'stop'), { minLength: 1, maxLength: 8 }) }),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new FairQueue<string>();
        const pushed: string[] = [];
        const taken: string[] = [];
        for (const step of all) {
          if ('push' in step) {
            const item = `${step.push}${pushed.length}`;
            pushed.push(item);
            queue.push(step.push, item);
          } else {
            const answers = [...step.take];
            taken.push(...queue.take(() => answers.shift() ?? 'stop'));
          }
          expect(queue.size).toBe(pushed.length - taken.length);
        }
        taken.push(...queue.drain());
        expect([...taken].sort()).toEqual([...pushed].sort());
      }),
    );
  });
});
