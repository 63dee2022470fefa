import fc from 'fast-check';
import { Fifo } from './fifo.js';

describe('Fifo', () => {
  it('behaves like an array with push, shift and unshift, whatever the order of calls', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.array(fc.integer(), { maxLength: 900 }).map((push) => ({ push })) },
      { weight: 5, arbitrary: fc.nat(900).map((take) => ({ take })) },
      { weight: 2, arbitrary: fc.array(fc.integer(), { maxLength: 5 }).map((putBack) => ({ putBack })) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const fifo = new Fifo<number>();
        let model: number[] = [];
        for (const each of steps) {
          if ('push' in each) {
            each.push.forEach((item) => fifo.push(item));
            model.push(...each.push);
          } else if ('putBack' in each) {
            each.putBack.forEach((item) => fifo.putBack(item));
            model.unshift(...each.putBack.reverse());
          } else if ('take' in each) {
            const taken = Array.from({ length: each.take }, () => fifo.take());
            expect(taken).toEqual(Array.from({ length: each.take }, () => model.shift()));
          } else {
            fifo.clear();
            model = [];
          }
          expect([fifo.size, fifo.peek(), fifo.last(), fifo.at(3)]).toEqual([
            model.length,
            model[0],
            model.at(-1),
            model[3],
          ]);
          expect([...fifo]).toEqual(model);
        }
      }),
      { numRuns: 50 },
    );
  });
});
